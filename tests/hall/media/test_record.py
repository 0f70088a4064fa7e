"""The recorder: what it wrote is there after kill -9, and a torn tail is cut off."""

import io
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crypto.digest import sha256_hex
from hall.media.mp4.boxes import Cutter, Fragment, Init, cut
from hall.media.mp4.record import Recorder, Recovered, parts, recover
from sessions.commands import Fragment as Told
from sessions.recording.index import Began, Closed, read

ANCHOR = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def footage() -> tuple[Init, list[Fragment]]:
    pytest.importorskip("av", reason="needs the extra `media`")
    from tests.support.film import film

    return cut(film(5))


def recorded(folder: Path, footage: tuple[Init, list[Fragment]], *, ended: bool = True) -> Recorder:
    recorder = Recorder(folder, "programme", ANCHOR)
    recorder.begin(footage[0])
    for fragment in footage[1]:
        recorder.take(fragment)
    recorder.end()
    if not ended:  # as a dead one leaves it
        index = folder / f"programme-{recorder.part}.jsonl"
        index.write_bytes(b"".join(index.read_bytes().splitlines(keepends=True)[:-1]))
    return recorder


def test_the_file_is_what_was_muxed_and_the_index_says_so(
    tmp_path: Path, footage: tuple[Init, list[Fragment]]
) -> None:
    recorded(tmp_path, footage)
    content = (tmp_path / "programme-1.mp4").read_bytes()
    assert content == footage[0].data + b"".join(one.data for one in footage[1])
    (began, *told, closed), _ = read((tmp_path / "programme-1.jsonl").read_bytes())
    assert isinstance(began, Began)
    assert (began.utc, began.codec) == (ANCHOR, footage[0].codecs)
    assert closed == Closed(size=len(content))
    at = began.init_length
    for line, fragment in zip(told, footage[1], strict=True):
        assert isinstance(line, Told)
        assert (line.offset, line.length, line.sha256) == (at, len(fragment.data), sha256_hex(fragment.data))
        assert (line.keyframe, line.duration_ms) == (fragment.keyframe, fragment.duration_ms)
        at += line.length


def test_a_recorder_that_was_killed_before_its_first_line_leaves_its_number(
    tmp_path: Path, footage: tuple[Init, list[Fragment]]
) -> None:
    recorded(tmp_path, footage)
    (tmp_path / "programme-2.mp4").write_bytes(b"\0\0\0")
    assert recorded(tmp_path, footage).part == 2
    (tmp_path / "programme-3.mp4").write_bytes(footage[0].data)
    (tmp_path / "programme-3.jsonl").write_bytes(b'{"codec":"avc1')
    assert recorded(tmp_path, footage).part == 3
    assert cut((tmp_path / "programme-3.mp4").read_bytes())[1] == footage[1]


def test_each_life_of_the_recorder_makes_its_own_file(tmp_path: Path, footage: tuple[Init, list[Fragment]]) -> None:
    first, second = (recorded(tmp_path, footage, ended=False) for _ in range(2))
    assert (first.part, second.part) == (1, 2)
    assert sorted(parts(tmp_path)) == [("programme", 1), ("programme", 2)]


def test_sound_alone_moves_no_clock(tmp_path: Path, footage: tuple[Init, list[Fragment]]) -> None:
    init, fragments = footage
    assert fragments[-1].duration_ms == 0  # what the muxer had left of the sound when it was closed
    recorded(tmp_path, (init, fragments))
    last = read((tmp_path / "programme-1.jsonl").read_bytes())[0][-2]
    assert isinstance(last, Told)
    assert (last.time_ms, last.duration_ms) == (5000, 0)


@pytest.mark.parametrize("torn", [1, 100, 4000])
def test_a_torn_tail_is_cut_to_the_last_whole_fragment(
    tmp_path: Path, footage: tuple[Init, list[Fragment]], torn: int
) -> None:
    recorded(tmp_path, footage, ended=False)
    media = tmp_path / "programme-1.mp4"
    whole = media.read_bytes()
    media.write_bytes(whole[:-torn])
    (found,) = recover(tmp_path)
    assert not found.closed
    assert media.stat().st_size == found.size
    assert cut(media.read_bytes())[1] == footage[1][: found.fragments]
    assert len(footage[1]) - found.fragments <= 2
    assert recover(tmp_path) == (
        Recovered(track="programme", part=1, fragments=found.fragments, size=found.size, cut=0, closed=False),
    )


def test_bytes_that_the_index_does_not_tell_are_cut(tmp_path: Path, footage: tuple[Init, list[Fragment]]) -> None:
    recorded(tmp_path, footage, ended=False)
    with (tmp_path / "programme-1.mp4").open("ab") as media:
        media.write(b"half a fragment")
    (found,) = recover(tmp_path)
    assert (found.cut, found.fragments) == (15, len(footage[1]))


def test_half_a_line_is_no_line(tmp_path: Path, footage: tuple[Init, list[Fragment]]) -> None:
    recorded(tmp_path, footage, ended=False)
    index = tmp_path / "programme-1.jsonl"
    told = index.read_bytes()
    index.write_bytes(told[:-20])
    (found,) = recover(tmp_path)
    assert found.fragments == len(footage[1]) - 1
    assert told.startswith(index.read_bytes())
    assert index.read_bytes().endswith(b"\n")


def test_a_closed_file_stays_as_it_is(tmp_path: Path, footage: tuple[Init, list[Fragment]]) -> None:
    recorded(tmp_path, footage)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (found,) = recover(tmp_path)
    assert found.closed
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_nothing_is_recorded_before_the_head(tmp_path: Path, footage: tuple[Init, list[Fragment]]) -> None:
    with pytest.raises(ValueError, match="before the head"):
        Recorder(tmp_path, "programme", ANCHOR).take(footage[1][0])


KILLED = """
    import sys
    from datetime import UTC, datetime
    from pathlib import Path
    from hall.media.mp4.boxes import Cutter
    from hall.media.mp4.record import Recorder
    from tests.support.film import film

    recorder = Recorder(Path(sys.argv[1]), "programme", datetime(2026, 11, 21, 1, tzinfo=UTC))
    film(600, file=Cutter(recorder), shown=lambda seconds: print(seconds, flush=True))
"""


def test_kill_9_costs_at_most_a_fragment(tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="needs the extra `media`")
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as recorder:
        assert recorder.stdout is not None
        for line in recorder.stdout:
            if float(line) >= 10:
                break
        recorder.kill()
        rest = recorder.stdout.read().split("\n")
        written = max([float(line), *(float(one) for one in rest[:-1] if one)])
    (found,) = recover(tmp_path)
    assert found.fragments > 0
    with av.open(io.BytesIO((tmp_path / "programme-1.mp4").read_bytes())) as container:
        playable = sum(1 for _ in container.decode(video=0)) / 10
    assert playable >= written - 0.8  # the fragment that was being filled, and what the muxer held of both tracks
    assert playable / written >= 0.90


def test_the_recorder_takes_what_a_muxer_writes_in_any_pieces(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="needs the extra `media`")
    from tests.support.film import film

    recorder = Recorder(tmp_path, "programme", ANCHOR)
    cutter = Cutter(recorder)
    content = film(2)
    for at in range(0, len(content), 777):
        cutter.write(content[at : at + 777])
    cutter.end()
    assert (tmp_path / "programme-1.mp4").read_bytes() == content
