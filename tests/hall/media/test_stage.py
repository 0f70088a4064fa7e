"""The picture says what the public view says, and only what changed is painted again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageFont

from hall.media.picture.scene import ROWS, TURN, Said, scene
from hall.media.picture.stage import HEIGHT, WIDTH, Stage

VIEWS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors/wire/public.json").read_text())["views"]
LAST = VIEWS[max(VIEWS, key=int)]
READ = next(view for view in VIEWS.values() if any(bid.get("amount") for bid in view.get("bids", {}).values()))
NOW = datetime(2026, 11, 21, 1, 31, 5, tzinfo=UTC)


def _crowded(rows: int) -> dict[str, Any]:
    bid = next(iter(LAST["bids"].values()))
    return LAST | {"bids": {str(n): bid | {"row": n, "name": f"第{n}公司"} for n in range(1, rows + 1)}}


@pytest.mark.parametrize("number", VIEWS)
def test_every_view_of_a_ceremony_has_a_picture(number: str) -> None:
    stage = Stage()
    stage.paint(scene(VIEWS[number], NOW, Said(zh="投标文件已经打开。", en="The bids are open.")))
    assert stage.image.size == (WIDTH, HEIGHT)
    assert len(stage.image.getcolors(1 << 20) or []) > 20


def test_repainting_what_changed_gives_the_picture_painted_anew() -> None:
    kept = Stage()
    for place, view in enumerate(VIEWS.values()):
        now, said = NOW + timedelta(seconds=7 * place), Said(zh=f"第 {place} 句", en=f"line {place}")
        kept.paint(scene(view, now, said))
        anew = Stage()
        anew.paint(scene(view, now, said))
        assert ImageChops.difference(kept.image, anew.image).getbbox() is None


def test_a_second_that_passes_changes_only_the_clock() -> None:
    stage = Stage()
    stage.paint(scene(LAST, NOW))
    before = stage.image.copy()
    (box,) = stage.paint(scene(LAST, NOW + timedelta(seconds=1)))
    assert (box[2] - box[0]) * (box[3] - box[1]) < WIDTH * HEIGHT / 20
    outside = ImageChops.difference(before, stage.image)
    assert outside.crop(box).getbbox() is not None
    outside.paste(0, box)
    assert outside.getbbox() is None


def test_the_same_moment_changes_nothing() -> None:
    stage = Stage()
    stage.paint(scene(LAST, NOW))
    assert stage.paint(scene(LAST, NOW)) == []


def test_a_price_that_was_not_read_yet_is_not_shown() -> None:
    rows = [bid["row"] for bid in READ["bids"].values()]
    reading = READ | {
        "hold": None,
        "reading": {"from": "2026-11-21T01:31:00.000Z", "pace_ms": 4000, "rows": rows},
    }
    shown = scene(reading, NOW).rows
    assert [row.number for row in shown if row.now] == [rows[1]]
    assert all(not row.amount for row in shown if row.number in rows[2:])
    assert any(row.amount for row in shown if row.number in rows[:2])


def test_a_long_table_turns_its_pages() -> None:
    crowded = _crowded(2 * ROWS + 1)
    seen = [scene(crowded, NOW + place * TURN) for place in range(3)]
    assert {row.number for one in seen for row in one.rows} == set(range(1, 2 * ROWS + 2))
    assert {one.page for one in seen} == {"1/3", "2/3", "3/3"}


def test_nothing_of_a_view_before_the_opening_time_says_how_many_bids_there_are() -> None:
    before = {"session": LAST["session"], "t0": "2026-11-21T02:00:00.000Z", "status": "checkin", "steps": {}}
    one = scene(before, NOW)
    assert one.rows == ()
    assert "加密" in one.notice.zh
    assert one.count == "28:55"


def test_a_camera_stands_beside_the_table_and_goes_without_a_trace() -> None:
    stage, plain = Stage(), Stage()
    camera = Image.new("RGB", (640, 360), (200, 10, 10))
    stage.paint(scene(LAST, NOW, speaker="主持人 李明"), camera)
    assert (200, 10, 10) in {colour for _, colour in stage.image.getcolors(1 << 20) or []}
    stage.paint(scene(LAST, NOW))
    plain.paint(scene(LAST, NOW))
    assert ImageChops.difference(stage.image, plain.image).getbbox() is None


def test_who_has_the_floor_stands_beside_the_step_while_it_lasts_with_a_camera_or_without() -> None:
    held = {"open": True, "speaker": {"row": 1, "bidder": "x", "name": "华东建设有限公司"}, "asked": {}}
    assert scene(LAST | {"floor": held}, NOW).floor == "华东建设有限公司"
    stage, plain = Stage(), Stage()
    plain.paint(scene(LAST, NOW))
    stage.paint(scene(LAST | {"floor": held}, NOW))
    assert ImageChops.difference(stage.image, plain.image).getbbox() is not None
    stage.paint(scene(LAST | {"floor": {**held, "speaker": None}}, NOW))
    assert ImageChops.difference(stage.image, plain.image).getbbox() is None


def test_chinese_glyphs_come_from_the_distribution_and_none_is_missing() -> None:
    from importlib import resources

    path = resources.files("pylopdf_fonts_zh_cn") / "NotoSansSC-Regular.otf"
    font = ImageFont.truetype(str(path), 24)
    missing = font.getmask("\U0010fffd").getbbox(), bytes(font.getmask("\U0010fffd"))
    for one in "开标投标人招标监督壹贰叁肆伍陆柒捌玖拾佰仟万亿元角分整滨澜":
        assert (font.getmask(one).getbbox(), bytes(font.getmask(one))) != missing
