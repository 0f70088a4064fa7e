"""Paint the public picture. Each area is painted from its own part of the scene, and only when that changed.

A clock tick repaints one rectangle: about a fiftieth of a whole picture. Colours are those of the pages; glyphs come
from the Noto Sans SC of the distribution, so Chinese is right where the system has no Chinese font.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont

from hall.media.picture.scene import ROWS, Row, Scene

WIDTH: Final = 1280
HEIGHT: Final = 720

Box = tuple[int, int, int, int]
Colour = tuple[int, int, int]

_PAPER: Final = (255, 255, 255)
_TINT: Final = (245, 247, 249)
_LINE: Final = (217, 222, 227)
_INK: Final = (27, 31, 36)
_MUTED: Final = (87, 96, 106)
_OK: Final = (26, 107, 55)
_LIVE: Final = (179, 38, 30)
_WASH: Final = (238, 245, 252)
_HEAD: Final = (16, 42, 67)
_ON_HEAD: Final = (232, 238, 244)

_MARGIN: Final = 40
_HEADER: Final = (0, 0, 1000, 104)
_CLOCK: Final = (1000, 0, WIDTH, 60)
_DAY: Final = (1000, 60, WIDTH, 104)
_STEP: Final = (0, 104, 960, 176)
_COUNT: Final = (960, 104, WIDTH, 176)
_TABLE: Final = (0, 176, WIDTH, 584)
_CAPTION: Final = (0, 584, WIDTH, HEIGHT)
_ROW: Final = 50
_SMALL_PICTURE: Final = (WIDTH - _MARGIN - 352, 232, WIDTH - _MARGIN, 430)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Area:
    box: Box
    part: Callable[[Scene], Any]  # what the area shows: equal parts are equal pixels
    paint: Callable[[ImageDraw.ImageDraw, Scene], None]


class Stage:
    """One picture, kept up to date. Not for several threads at once."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
        self._shown: dict[str, Any] = {}
        self._small: Image.Image | None = None

    def paint(self, scene: Scene, small: Image.Image | None = None) -> list[Box]:
        """Show ``scene``, with ``small`` as the picture in the picture; return what changed, in pixels."""
        changed = list(self._areas(scene))
        table = _TABLE in changed
        if small is not None and (table or small is not self._small):
            self.image.paste(_fitted(small), _SMALL_PICTURE[:2])
            changed.append(_SMALL_PICTURE)
        self._small = small
        return changed

    def _areas(self, scene: Scene) -> Iterator[Box]:
        for name, area in _AREAS.items():
            part = area.part(scene)
            if self._shown.get(name) == part:
                continue
            self._shown[name] = part
            x0, y0, x1, y1 = area.box
            canvas = Image.new("RGB", (x1 - x0, y1 - y0), _HEAD if y1 <= _HEADER[3] else _PAPER)
            area.paint(ImageDraw.Draw(canvas), scene)
            self.image.paste(canvas, (x0, y0))
            yield area.box


def _header(draw: ImageDraw.ImageDraw, scene: Scene) -> None:
    width = _HEADER[2] - _MARGIN
    _seal(draw, _MARGIN, 30)
    left = _MARGIN + 60
    if scene.rehearsal:
        label = "演练 REHEARSAL"
        size = _wide(label, 20)
        draw.rounded_rectangle((left, 17, left + size + 20, 47), 4, fill=_ON_HEAD)
        _write(draw, (left + 10, 32), label, 20, _HEAD, anchor="lm")
        left += size + 36
    _write(draw, (left, 32), _cut(scene.title.zh, 30, width - left), 30, (255, 255, 255), anchor="lm", bold=True)
    english = " · ".join(text for text in (scene.title.en, scene.tenderer.zh) if text)
    _write(draw, (_MARGIN + 60, 76), _cut(english, 20, width - _MARGIN - 60), 20, _ON_HEAD, anchor="lm")


def _clock(draw: ImageDraw.ImageDraw, scene: Scene) -> None:
    right = _CLOCK[2] - _CLOCK[0] - _MARGIN
    # Each figure has its own place, so that nothing moves as the seconds pass.
    for place, figure in enumerate(reversed(scene.time)):
        _write(draw, (right - 12 - place * 23, 34), figure, 40, (255, 255, 255), anchor="mm", bold=True)


def _day(draw: ImageDraw.ImageDraw, scene: Scene) -> None:
    _write(draw, (_DAY[2] - _DAY[0] - _MARGIN, 16), f"{scene.day} 北京时间", 18, _ON_HEAD, anchor="rm")


def _step(draw: ImageDraw.ImageDraw, scene: Scene) -> None:
    left = _MARGIN
    if scene.place:
        place = f"{scene.place}/{scene.of}"
        size = _wide(place, 22)
        draw.rounded_rectangle((left, 20, left + size + 24, 54), 4, outline=_MUTED, width=1)
        _write(draw, (left + 12, 37), place, 22, _MUTED, anchor="lm")
        left += size + 42
    _write(draw, (left, 37), scene.step.zh, 30, _INK, anchor="lm", bold=True)
    left += _wide(scene.step.zh, 30) + 20
    if scene.floor:
        draw.ellipse((left + 2, 32, left + 14, 44), fill=_LIVE)
        _write(
            draw,
            (left + 24, 37),
            _cut(f"发言 Speaking  {scene.floor}", 24, _STEP[2] - left - 24),
            24,
            _INK,
            anchor="lm",
        )
        return
    _write(draw, (left, 39), _cut(scene.step.en, 22, _STEP[2] - left), 22, _MUTED, anchor="lm")


def _count(draw: ImageDraw.ImageDraw, scene: Scene) -> None:
    right = _COUNT[2] - _COUNT[0] - _MARGIN
    for place, figure in enumerate(reversed(scene.count)):
        _write(draw, (right - 10 - place * 19, 36), figure, 32, _LIVE, anchor="mm", bold=True)
    if scene.count:
        label = right - len(scene.count) * 19 - 16
        _write(draw, (label, 26), scene.until.zh, 18, _MUTED, anchor="rm")
        _write(draw, (label, 50), scene.until.en, 16, _MUTED, anchor="rm")


def _table(draw: ImageDraw.ImageDraw, scene: Scene) -> None:
    width, height = _TABLE[2], _TABLE[3] - _TABLE[1]
    right = (_SMALL_PICTURE[0] - 24) if scene.speaker else width - _MARGIN
    draw.line((_MARGIN, 0, width - _MARGIN, 0), fill=_LINE)
    if not scene.rows:
        middle = (_MARGIN + right) // 2
        _write(draw, (middle, height // 2 - 18), scene.notice.zh, 30, _INK, anchor="mm")
        _write(draw, (middle, height // 2 + 28), scene.notice.en, 22, _MUTED, anchor="mm")
    else:
        _heads(draw, scene, right)
        for place, row in enumerate(scene.rows[:ROWS]):
            _row(draw, row, 50 + place * _ROW, right)
    if scene.speaker:
        x0, _, x1, y1 = _SMALL_PICTURE
        name = _cut(scene.speaker, 22, x1 - x0)
        _write(draw, ((x0 + x1) // 2, y1 - _TABLE[1] + 20), name, 22, _INK, anchor="mm")


def _heads(draw: ImageDraw.ImageDraw, scene: Scene, right: int) -> None:
    state, amount = _columns(right)
    page = f"  {scene.page}" if scene.page else ""
    for x, text, anchor in (
        (_MARGIN + 12, "序号 No.", "lm"),
        (_MARGIN + 110, f"投标人 Bidder{page}", "lm"),
        (state, "状态 State", "lm"),
        (amount, f"报价 Price {scene.currency}".strip(), "rm"),
    ):
        _write(draw, (x, 25), text, 18, _MUTED, anchor=anchor)


def _row(draw: ImageDraw.ImageDraw, row: Row, top: int, right: int) -> None:
    middle, (state, amount) = top + _ROW // 2, _columns(right)
    if row.now:
        draw.rectangle((_MARGIN, top, right, top + _ROW), fill=_WASH)
        draw.rectangle((_MARGIN, top, _MARGIN + 4, top + _ROW), fill=_HEAD)
    draw.line((_MARGIN, top, right, top), fill=_LINE)
    _write(draw, (_MARGIN + 12, middle), str(row.number), 22, _MUTED, anchor="lm")
    name = _cut(row.name, 24, state - _MARGIN - 126)
    _write(draw, (_MARGIN + 110, middle), name, 24, _INK, anchor="lm", bold=row.now)
    tone = _LIVE if row.bad else _MUTED if row.state.zh in {"等待解密", "密封"} else _OK
    _write(draw, (state, middle - 9), row.state.zh, 18, tone, anchor="lm")
    _write(draw, (state, middle + 12), row.state.en, 15, _MUTED, anchor="lm")
    if row.amount:
        _write(draw, (amount, middle - 9), row.amount, 24, _INK, anchor="rm", bold=True)
        _write(draw, (amount, middle + 13), _cut(row.words, 15, amount - state - 96), 15, _MUTED, anchor="rm")


def _columns(right: int) -> tuple[int, int]:
    """Return where the state begins and where the amounts end."""
    return right - 470 if right > 1000 else right - 330, right - 12


def _caption(draw: ImageDraw.ImageDraw, scene: Scene) -> None:
    width, height = _CAPTION[2], _CAPTION[3] - _CAPTION[1]
    draw.rectangle((0, 0, width, height), fill=_TINT)
    draw.line((0, 0, width, 0), fill=_LINE)
    room = width - 2 * _MARGIN
    chinese = _lines(scene.caption.zh, 28, room, 2)
    english = _lines(scene.caption.en, 20, room, 4 - len(chinese) if len(chinese) < 2 else 2)
    y = 25
    for line in chinese:
        _write(draw, (_MARGIN, y), line, 28, _INK, anchor="lm")
        y += 35
    for line in english:
        _write(draw, (_MARGIN, y), line, 20, _MUTED, anchor="lm")
        y += 25


_AREAS: Final[dict[str, _Area]] = {
    "header": _Area(box=_HEADER, part=lambda s: (s.title, s.tenderer, s.rehearsal), paint=_header),
    "clock": _Area(box=_CLOCK, part=lambda s: s.time, paint=_clock),
    "day": _Area(box=_DAY, part=lambda s: s.day, paint=_day),
    "step": _Area(box=_STEP, part=lambda s: (s.step, s.place, s.of, s.floor), paint=_step),
    "count": _Area(box=_COUNT, part=lambda s: (s.count, s.until), paint=_count),
    "table": _Area(box=_TABLE, part=lambda s: (s.rows, s.page, s.notice, s.currency, s.speaker), paint=_table),
    "caption": _Area(box=_CAPTION, part=lambda s: s.caption, paint=_caption),
}


def _seal(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    """The hall's mark: a sealed letter."""
    draw.rectangle((x, y, x + 44, y + 44), fill=(255, 255, 255))
    draw.line(((x + 8, y + 12), (x + 36, y + 12), (x + 36, y + 33), (x + 8, y + 33), (x + 8, y + 12)), _HEAD, 3)
    draw.line(((x + 8, y + 13), (x + 22, y + 24), (x + 36, y + 13)), _HEAD, 3)
    draw.line(((x + 22, y + 24), (x + 22, y + 33)), _HEAD, 3)


def _fitted(picture: Image.Image) -> Image.Image:
    """Return a camera's picture in the frame that there is for it, whole, on black."""
    x0, y0, x1, y1 = _SMALL_PICTURE
    frame = Image.new("RGB", (x1 - x0, y1 - y0))
    scale = min(frame.width / picture.width, frame.height / picture.height)
    small = picture.resize((max(1, int(picture.width * scale)), max(1, int(picture.height * scale))))
    frame.paste(small, ((frame.width - small.width) // 2, (frame.height - small.height) // 2))
    return frame


@cache
def sound_alone() -> Image.Image:
    """Return what stands in the small picture of somebody who is heard and not seen. Leave it as it is."""
    x0, y0, x1, y1 = _SMALL_PICTURE
    card = Image.new("RGB", (x1 - x0, y1 - y0), _HEAD)
    draw, middle = ImageDraw.Draw(card), (x1 - x0) // 2
    for place, high in enumerate((14, 34, 54, 34, 14)):
        x = middle + (place - 2) * 14
        draw.rounded_rectangle((x - 3, 78 - high // 2, x + 3, 78 + high // 2), 3, fill=_ON_HEAD)
    _write(draw, (middle, 132), "只有声音", 20, _ON_HEAD, anchor="mm")
    _write(draw, (middle, 158), "Sound only", 16, _ON_HEAD, anchor="mm")
    return card


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    with resources.as_file(resources.files("pylopdf_fonts_zh_cn") / "NotoSansSC-Regular.otf") as path:
        return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def _wide(text: str, size: int) -> int:
    return int(_font(size).getlength(text) + 0.5)


def _write(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    size: int,
    colour: Colour,
    *,
    anchor: str,
    bold: bool = False,
) -> None:
    if text:
        # The distribution carries one weight; a stroke of the same colour is a second one.
        draw.text(at, text, colour, _font(size), anchor, stroke_width=0.5 if bold else 0, stroke_fill=colour)


def _cut(text: str, size: int, room: int) -> str:
    """Return as much of ``text`` as there is room for; an ellipsis says that something is missing."""
    if _wide(text, size) <= room:
        return text
    while text and _wide(text + "…", size) > room:
        text = text[:-1]
    return text + "…"


def _lines(text: str, size: int, room: int, most: int) -> list[str]:
    """Break ``text`` into at most ``most`` lines: between words, and between Chinese characters anywhere."""
    lines: list[str] = []
    while text and len(lines) < most:
        if _wide(text, size) <= room or len(lines) == most - 1:
            return [*lines, _cut(text, size, room)]
        end = next(n for n in range(len(text), 0, -1) if n == 1 or _wide(text[:n], size) <= room)
        space = text.rfind(" ", 0, end + 1)
        if text[end].isascii() and text[end - 1].isascii() and space > 0:
            end = space
        while end > 1 and text[end] in _NOT_FIRST:
            end -= 1
        lines.append(text[:end].rstrip())
        text = text[end:].lstrip()
    return lines


_NOT_FIRST: Final = "，。、；：！？）》”’,.;:!?)"
