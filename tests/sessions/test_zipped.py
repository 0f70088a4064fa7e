"""The zip file has one form. Everything else that a reader of zip files would take is refused."""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.digest import sha256_hex
from sessions import zipped
from sessions.zipped import NotOurs, digest, pack, pieces, unpack

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


def the_same(file: Path, data: bytes) -> None:
    """From a file, with members that stay where they lie, everything is as it is from memory."""
    file.write_bytes(data)
    try:
        expected = unpack(data)
    except NotOurs:
        with pytest.raises(NotOurs):
            zipped.opened(file, lambda name: name.startswith("a"))
        return
    found = zipped.opened(file, lambda name: name.startswith("a"))
    assert {name: b"".join(pieces(each)) for name, each in found.items()} == expected
    assert {name: (digest(each), len(each)) for name, each in found.items()} == {
        name: (sha256_hex(each), len(each)) for name, each in expected.items()
    }


def test_from_a_file_it_is_read_as_from_memory(tmp_path: Path) -> None:
    data = pack(FILES | {"a.mp4": bytes(range(256)) * 3})
    the_same(tmp_path / "it", data)
    for at in range(0, len(data), 11):
        the_same(tmp_path / "it", data[:at] + bytes([data[at] ^ 32]) + data[at + 1 :])
        the_same(tmp_path / "it", data[:at])
    for foreign in FOREIGN.values():
        the_same(tmp_path / "it", foreign())


def test_a_member_that_stays_where_it_lies_is_read_in_slices(tmp_path: Path) -> None:
    film = bytes(range(200))
    (tmp_path / "it").write_bytes(pack(FILES | {"film": film}))
    found = zipped.opened(tmp_path / "it", lambda name: name == "film")["film"]
    assert isinstance(found, zipped.Stored)
    for part in (slice(None), slice(3, 9), slice(190, 999), slice(-5, None), slice(9, 3)):
        assert found[part] == film[part]


def test_a_large_member_is_packed_as_if_it_were_held_and_may_not_change_meanwhile() -> None:
    def film() -> Iterator[bytes]:
        yield from (b"one", b"", b"two")

    out = io.BytesIO()
    zipped.write(out, FILES | {"film": zipped.Large(film)})
    assert out.getvalue() == pack(FILES | {"film": b"onetwo"})
    grows = [b"one"]
    large = zipped.Large(lambda: iter(grows))
    grows.append(b"more")
    with pytest.raises(OSError, match="film changed"):
        zipped.write(io.BytesIO(), {"film": large})


def test_a_large_file_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipped, "MOST_BYTES", 100)
    with pytest.raises(NotOurs, match="more than 100 bytes"):
        unpack(pack(FILES))


def test_too_many_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipped, "MOST_FILES", 2)
    with pytest.raises(NotOurs, match="more than 2 files"):
        unpack(pack(FILES))
