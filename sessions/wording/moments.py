"""Moments as people read them: Beijing time in Chinese, UTC in English, both said in full."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from sessions.plan import Words

BEIJING = timezone(timedelta(hours=8))  # no daylight saving since 1991


def spoken(moment: datetime) -> Words:
    """Return the moment in both languages, to the second, or to the millisecond where that matters."""
    local = moment.astimezone(BEIJING)
    fraction = f".{moment.microsecond // 1000:03}" if moment.microsecond else ""
    zh = f"北京时间 {local:%Y-%m-%d %H:%M:%S}{fraction}"
    return Words(zh=zh, en=f"{moment:%Y-%m-%d %H:%M:%S}{fraction} UTC")
