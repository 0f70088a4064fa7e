"""Which row is being read out: it follows from the view and the clock alone, so every screen agrees. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any


def rows_read(view: Mapping[str, Any], now: datetime) -> int:
    """Return how many rows of the read-out have begun at ``now``; one more than there are when all were read."""
    reading = view.get("reading")
    if not reading or view.get("hold"):
        return 0
    elapsed = now - datetime.fromisoformat(reading["from"])
    begun = int(elapsed / timedelta(milliseconds=max(1, reading["pace_ms"]))) + 1
    return max(0, min(begun, len(reading["rows"]) + 1))
