"""The recording in a bundle: every byte answers for itself, and each lie is found by one check, in both verifiers."""

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from crypto.signing import HallKey
from crypto.tlog import Checkpoint, Tree, peek_checkpoint, sign_checkpoint
from sessions.recording.captions import captions
from sessions.recording.mp4 import Chapter, NotOurs, chapters_in, finished, opened
from sessions.verify import verify
from sessions.zipped import unpack
from tests.support.audited import by_typescript
from tests.support.bundles import Files, events, failed, redrawn, retold, signed_anew, with_events
from tests.support.ceremony import T0
from tests.support.film import kept
from tests.support.hall_story import a_full_story
from tests.support.hallkey import hall_key
from tests.support.recorded import a_recorded_bundle
from tests.support.tampering import flipped, noted_without_gaps, without

ONE, TWO, HOST = (f"recording/{name}.mp4" for name in ("programme-1", "programme-2", "host-1"))


@pytest.fixture(scope="module")
def patient() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sessions.recording.tail.LOOK", 0.01)
        patch.setattr("sessions.recording.tail.BATCH", 0.0)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("held")


@pytest.fixture(scope="module")
def held(patient: None, folder: Path) -> bytes:
    return asyncio.run(a_recorded_bundle(folder))


@pytest.fixture(scope="module")
def held_by(held: bytes, folder: Path) -> HallKey:
    return hall_key(folder)


@pytest.fixture(scope="module")
def alone(patient: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Files, HallKey]:
    """Of an opening that nobody outside holds: so that one lie breaks one check."""
    folder = tmp_path_factory.mktemp("alone")
    return unpack(asyncio.run(a_recorded_bundle(folder, held=False))), hall_key(folder)


def detail(bundle: bytes, check: str) -> str:
    return next(one.detail for one in verify(bundle).checks if one.id == check)


def test_an_honest_recording_passes_and_its_gap_is_told(held: bytes) -> None:
    assert failed(held) == set()
    assert "no picture from 2026-11-21 00:30:02 UTC to 2026-11-21 00:30:08 UTC" in detail(held, "recording.files")
    assert "3 files, 16 fragments" in detail(held, "recording.files")
    assert "cosigned by 1" in detail(held, "recording.chain")


def test_the_record_itself_says_what_is_missing(held: bytes) -> None:
    files = unpack(held)
    told = json.loads(files["record.json"])["recording"]
    assert told["gaps"][-1] == {"since": "2026-11-21T00:30:02.000Z", "until": "2026-11-21T00:30:08.000Z"}
    assert told["until"] == "2026-11-21T00:30:12.000Z"
    assert "无画面" in files["record.html"].decode()


def changed(name: str, change: Callable[[bytes], bytes]) -> Callable[[Files], Files]:
    return lambda files: {**files, name: change(files[name])}


def noted_otherwise(files: Files) -> Files:
    def change(cores: list[dict[str, object]]) -> None:
        note = next(core for core in cores if core["type"] == "RecordingNoted")
        note["data"] = {**note["data"], "root": "ab" * 32}  # type: ignore[dict-item]

    return redrawn(retold(files, change))


def without_the_breaking(files: Files) -> Files:
    cores = [core for core in events(files, "recording") if core["type"] != "TrackBroken"]
    return with_events(files, cores, "recording")


LIES: tuple[tuple[str, Callable[[Files], Files], str], ...] = (
    (
        "a byte of the picture is changed",
        changed(TWO, lambda data: flipped(data, len(data) - 5000)),
        "recording.files",
    ),
    ("the head is changed", changed(TWO, lambda data: flipped(data, 60)), "recording.files"),
    ("something is added at the end", changed(TWO, lambda data: data + b"\0\0\0\x08free"), "recording.files"),
    ("the end is cut", changed(ONE, lambda data: data[:-4096]), "recording.files"),
    ("a file is exchanged for the other", lambda files: {**files, ONE: files[TWO]}, "recording.files"),
    ("a file is left out", without(ONE), "recording.files"),
    ("what the host sent is changed", changed(HOST, lambda data: flipped(data, len(data) - 900)), "recording.files"),
    ("what the host sent is left out", without(HOST), "recording.files"),
    (
        "a file is there that nobody recorded",
        lambda files: {**files, "recording/deputy-1.mp4": b"x"},
        "recording.files",
    ),
    ("the opening noted something else", noted_otherwise, "recording.chain"),
    ("the opening hides a gap", noted_without_gaps, "recording.chain"),
    ("an event is taken away", without_the_breaking, "recording.chain"),
    (
        "a byte of an event is changed",
        changed("events/recording.jsonl", lambda d: flipped(d, 200)),
        "recording.chain",
    ),
    ("nothing was recorded", changed("events/recording.jsonl", lambda _: b""), "recording.chain"),
)


@pytest.mark.parametrize(("change", "check"), [lie[1:] for lie in LIES], ids=[lie[0] for lie in LIES])
def test_each_lie_is_found_by_one_check(
    alone: tuple[Files, HallKey], change: Callable[[Files], Files], check: str
) -> None:
    files, key = alone
    assert failed(signed_anew(files, key)) == set()
    assert failed(signed_anew(change(dict(files)), key)) == {check}


def test_a_recording_whose_end_is_forgotten_is_convicted_by_its_checkpoint(held: bytes, held_by: HallKey) -> None:
    def change(cores: list[dict[str, object]]) -> None:
        cores.remove([core for core in cores if core["type"] == "FragmentsKept"][-1])
        closed = next(core for core in cores if core["type"] == "RecordingClosed")
        closed["data"] = {"fragments": 4, "whole": True}

    files = retold(unpack(held), change, "recording")
    assert failed(signed_anew(without(TWO)(files), held_by)) == {"recording.chain"}


def test_both_verifiers_come_to_the_same(held: bytes, alone: tuple[Files, HallKey]) -> None:
    files, key = alone
    lies = [signed_anew(change(dict(files)), key) for _, change, _ in LIES]
    honest, *found = by_typescript(held, *lies)
    assert set(honest.values()) == {"passed"}
    assert list(honest) == [check.id for check in verify(held).checks]
    for (lie, _, check), verdict in zip(LIES, found, strict=True):
        assert [name for name, outcome in verdict.items() if outcome == "failed"] == [check], lie


def test_finishing_changes_no_byte_of_a_fragment_and_can_be_undone() -> None:
    init, fragments = kept()
    told = (Chapter(at_ms=0, title="签到"), Chapter(at_ms=2000, title="公布投标人名单"))
    head = finished(init.data, (), told)
    assert opened(head) == (init.data, len(head))
    assert chapters_in(head) == told
    body = b"".join(one.data for one in fragments)
    assert opened(head + body)[0] == init.data
    assert opened(init.data + body) == (init.data, len(init.data))


@pytest.mark.parametrize("damage", [b"", b"\0\0\0\x08ftyp", b"\0\0\0\x04ftyp" * 9, b"hello world, this is no film"])
def test_what_is_no_film_is_said_to_be_none(damage: bytes) -> None:
    with pytest.raises(NotOurs):
        opened(damage)


def test_a_player_finds_the_chinese_chapters_and_the_length(held: bytes) -> None:
    av = pytest.importorskip("av", reason="needs the extra `media`")
    with av.open(io.BytesIO(unpack(held)[TWO])) as film:
        assert [chapter["metadata"]["title"] for chapter in film.chapters()] == ["签到"]
        assert film.duration == 4_000_000
        assert sum(1 for _ in film.decode(video=0)) == 40


def test_a_player_jumps_to_the_second(held: bytes) -> None:
    av = pytest.importorskip("av", reason="needs the extra `media`")
    with av.open(io.BytesIO(unpack(held)[TWO])) as film:
        film.seek(2_500_000)
        assert next(film.decode(video=0)).time == 2.0  # the keyframe before it


def test_captions_say_what_the_log_says_and_read_out_the_rows() -> None:
    records = a_full_story().records
    told = captions(records, T0, records[-1].at + timedelta(minutes=1), "zh")
    assert told.startswith("WEBVTT\n\n")
    assert " --> " in told
    assert "解密" in told
    english = captions(records, T0, records[-1].at + timedelta(minutes=1), "en")
    assert english.count(" --> ") == told.count(" --> ")


def test_a_checkpoint_of_another_recording_convicts_the_hall_in_both_verifiers(held: bytes, held_by: HallKey) -> None:
    files = unpack(held)
    mine = files["log/recording.checkpoint"].decode()
    stated = peek_checkpoint(mine)
    digests = [sha256(line).digest() for line in files["events/recording.jsonl"].splitlines()]
    assert Tree(digests).root() == stated.root

    def signed(entries: list[bytes], origin: str = stated.origin) -> str:
        tree = Tree(entries)
        return sign_checkpoint(Checkpoint(origin=origin, size=len(tree), root=tree.root()), held_by)

    notes = {
        mine: ("passed", "events of the recording"),
        signed(digests[:3]): ("passed", "the first 3 of"),
        signed([*digests[:3], b"x" * 32]): ("failed", "SPLIT VIEW: the hall signed two different logs of 4"),
        signed([*digests, b"x" * 32]): ("failed", "SPLIT VIEW: the hall signed a log of"),
        signed([b"x" * 32], f"{stated.origin}s"): ("failed", "proves nothing"),
    }
    for note, (outcome, words) in notes.items():
        (check,) = [one for one in verify(held, held=note.encode()).checks if one.id == "log.held"]
        assert (check.outcome, words in check.detail) == (outcome, True), check.detail
        assert by_typescript(held, kept=note)[0]["log.held"] == outcome
