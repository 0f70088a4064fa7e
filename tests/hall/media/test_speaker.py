"""A real voice speaks; one that dies, hangs or babbles is silence, and the next line is spoken again."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from hall.media.voice import speaker as module
from hall.media.voice.readouts import of_fact, of_row
from hall.media.voice.sound import SAMPLES
from hall.media.voice.speaker import Speaker, spoken

LOUD = 1000


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WITHIN", 60.0)  # a slow machine is no dead engine


def _peak(pcm: bytes) -> int:
    return max(abs(one) for one in memoryview(pcm).cast("h"))


async def test_a_line_is_spoken_in_both_languages_and_kept(tmp_path: Path) -> None:
    speaker = Speaker(tmp_path / "speech")
    try:
        for text, language in (("青禾路桥有限公司，报价 1,200,000.00 元。", "zh"), ("Bid 3 of 5 is open.", "en")):
            pcm = await speaker.say(text, language)
            assert SAMPLES < len(pcm) // 2 < 12 * SAMPLES
            assert _peak(pcm) > LOUD
            assert await Speaker(tmp_path / "speech", ("false",)).say(text, language) == pcm
    finally:
        await speaker.close()


@pytest.mark.parametrize("engine", ["pass", "import time; time.sleep(600)", "print('no length')"])
async def test_an_engine_that_fails_is_silence(tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WITHIN", 1.0)
    speaker = Speaker(tmp_path, (sys.executable, "-c", engine))
    try:
        assert await speaker.say("开标", "zh") == b""
    finally:
        await speaker.close()


async def test_no_engine_at_all_is_silence(tmp_path: Path) -> None:
    assert await Speaker(tmp_path, ("/nonexistent",)).say("开标", "zh") == b""


async def test_an_engine_that_died_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REST", 0.0)
    speaker = Speaker(tmp_path)
    try:
        assert await speaker.say("第一句", "zh")
        assert speaker._process is not None
        speaker._process.kill()
        await speaker._process.wait()
        assert await speaker.say("第二句", "zh")
    finally:
        await speaker.close()


STUCK_AT_FIRST = """
import pathlib, sys, time
for line in sys.stdin:
    if not (began := pathlib.Path(sys.argv[1])).exists():
        began.touch()
        time.sleep(600)
    sys.stdout.buffer.write(bytes([0, 0, 0, 2]) + b"ok")
    sys.stdout.flush()
"""


async def test_whoever_stops_listening_leaves_no_answer_to_the_next(tmp_path: Path) -> None:
    began = tmp_path / "began"
    speaker = Speaker(tmp_path / "speech", (sys.executable, "-c", STUCK_AT_FIRST, str(began)))
    try:
        first = asyncio.create_task(speaker.say("第一句", "zh"))
        while not began.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.wait({first})
        assert await speaker.say("第二句", "zh") == b"ok"
    finally:
        await speaker.close()


async def test_after_the_end_nobody_starts_an_engine(tmp_path: Path) -> None:
    speaker = Speaker(tmp_path)
    saying = asyncio.create_task(speaker.say("第一句", "zh"))
    await asyncio.sleep(0)
    await speaker.close()
    await saying
    assert await speaker.say("第二句", "zh") == b""
    assert speaker._process is None


def test_the_engine_is_given_neither_figures_nor_characters() -> None:
    words = spoken("青禾路桥有限公司，报价 1,200,000.00 元，下浮 12.5%。", "zh")
    assert words.isascii()
    assert words.startswith("qing1 he2 lu4 qiao2")
    assert spoken("青禾路桥: 1,200,000.00", "en") == "Qingheluqiao: one million two hundred thousand"


def test_a_row_is_read_out_with_its_amount_in_words() -> None:
    view = {
        "reading": {"from": "2026-11-21T01:31:00.000Z", "pace_ms": 4000, "rows": [2]},
        "fields": {
            "days": {"order": 1, "kind": "integer", "label": {"zh": "工期", "en": "Days"}},
            "price": {"order": 0, "kind": "money", "label": {"zh": "投标总价", "en": "Total price"}},
        },
        "bids": {
            "2": {
                "row": 2,
                "name": "青禾路桥",
                "quote": {"price": "1200000", "days": "90"},
                "amount": {
                    "grouped": "1,200,000.00",
                    "zh": "壹佰贰拾万元整",
                    "en": "one million two hundred thousand yuan",
                },
            }
        },
    }
    line = of_row(view, 1)
    assert line is not None
    assert line.words.zh == "第2号，青禾路桥，投标总价壹佰贰拾万元整，工期90。"
    assert line.words.en == "Number 2, 青禾路桥, total price one million two hundred thousand yuan, days 90."
    assert line.names == ("青禾路桥",)
    assert of_row(view, 2) is None


def test_a_row_without_a_price_says_so() -> None:
    view = {
        "reading": {"from": "2026-11-21T01:31:00.000Z", "pace_ms": 4000, "rows": [2]},
        "bids": {"2": {"row": 2, "name": "青禾路桥", "state": "not_opened"}},
    }
    line = of_row(view, 1)
    assert line is not None
    assert "未能开启" in line.words.zh


def test_keys_that_come_in_are_captions_and_steps_are_spoken() -> None:
    words = {"zh": "开标。", "en": "Open."}
    spoken_line = of_fact({"type": "StepEntered", "words": words}, {})
    silent = of_fact({"type": "KeyReleased", "words": words}, {})
    assert (spoken_line is not None, silent is not None) == (True, True)
    assert [line.spoken for line in (spoken_line, silent) if line] == [True, False]
    assert of_fact({"type": "KeyReleased"}, {}) is None
    assert of_fact({"type": "Anchored", "words": words}, {}) is None
