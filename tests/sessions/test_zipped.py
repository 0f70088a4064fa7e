"""The zip file has one form. Everything else that a reader of zip files would take is refused."""

import io
import zipfile
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions import zipped
from sessions.zipped import NotOurs, pack, unpack

FILES = {"a.txt": b"first", "dir/b.json": b"{}", "dir/empty": b""}
NAMES = st.from_regex(r"[a-z][a-z0-9._-]{0,8}(/[a-z][a-z0-9]{0,4}){0,2}", fullmatch=True)


@given(st.dictionaries(NAMES, st.binary(max_size=50), max_size=6))
def test_what_is_packed_is_unpacked(files: dict[str, bytes]) -> None:
    assert unpack(pack(files)) == files


def test_the_order_and_the_day_of_packing_change_nothing() -> None:
    assert pack(dict(reversed(FILES.items()))) == pack(FILES)


def test_other_programs_read_it() -> None:
    with zipfile.ZipFile(io.BytesIO(pack(FILES))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == FILES


@pytest.mark.parametrize(
    "name",
    ["../up", "/root", "C:/x", "a//b", "a/", "", ".hidden", "a\\b", "nul\0", "名", "a b", "x" * 101, "a/b/c/d/e"],
)
def test_a_name_that_could_lead_elsewhere_is_not_packed(name: str) -> None:
    with pytest.raises(NotOurs):
        pack({name: b""})


def made(build: Callable[[zipfile.ZipFile], object], **options: object) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", **options) as archive:  # type: ignore[call-overload]
        build(archive)
    return out.getvalue()


def twice(archive: zipfile.ZipFile) -> None:
    archive.writestr("a.txt", b"one")
    with pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a.txt", b"two")


def link(archive: zipfile.ZipFile) -> None:
    member = zipfile.ZipInfo("a.txt", (1980, 1, 1, 0, 0, 0))
    member.create_system, member.external_attr = 3, 0o120777 << 16
    archive.writestr(member, b"/etc/passwd")


def commented(archive: zipfile.ZipFile) -> None:
    archive.writestr("a.txt", b"")
    archive.comment = b"hello"


def extra(archive: zipfile.ZipFile) -> None:
    member = zipfile.ZipInfo("a.txt", (1980, 1, 1, 0, 0, 0))
    member.create_system, member.external_attr, member.extra = 3, 0o100644 << 16, b"\x99\x99\x01\x00x"
    archive.writestr(member, b"")


FOREIGN = {
    "compressed": lambda: made(lambda a: a.writestr("a.txt", b"x" * 99), compression=zipfile.ZIP_DEFLATED),
    "a bomb": lambda: made(lambda a: a.writestr("a.txt", bytes(30_000_000)), compression=zipfile.ZIP_DEFLATED),
    "dated": lambda: made(lambda a: a.writestr("a.txt", b"")),
    "a member twice": lambda: made(twice),
    "a link": lambda: made(link),
    "a comment": lambda: made(commented),
    "an extra field": lambda: made(extra),
    "a path upwards": lambda: made(lambda a: a.writestr("../a.txt", b"")),
    "a folder": lambda: made(lambda a: a.writestr("a/", b"")),
    "out of order": lambda: _out_of_order(),
    "nothing": lambda: b"",
    "a text": lambda: b"hello",
    "compressed otherwise": lambda: zlib.compress(pack(FILES)),
}


def _out_of_order() -> bytes:
    def build(archive: zipfile.ZipFile) -> None:
        for name in ("b", "a"):
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            member.create_system, member.external_attr = 3, 0o100644 << 16
            archive.writestr(member, b"")

    return made(build)


@pytest.mark.parametrize("what", FOREIGN)
def test_any_other_zip_file_is_refused(what: str) -> None:
    with pytest.raises(NotOurs):
        unpack(FOREIGN[what]())


def test_every_byte_counts() -> None:
    data = pack(FILES)
    for at in range(len(data)):
        for bit in (0, 5):
            changed = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
            try:
                files = unpack(changed)
            except NotOurs:
                continue
            assert files != FILES  # a name or its content: the manifest's business


def test_a_large_file_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipped, "MOST_BYTES", 100)
    with pytest.raises(NotOurs, match="more than 100 bytes"):
        unpack(pack(FILES))


def test_too_many_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipped, "MOST_FILES", 2)
    with pytest.raises(NotOurs, match="more than 2 files"):
        unpack(pack(FILES))
