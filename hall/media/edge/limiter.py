"""Asking a source for a keyframe, no oftener than it can give one. Pure: ``now`` is in seconds."""

from __future__ import annotations

from typing import Final

EVERY: Final = 0.5


class Limiter:
    """Says whether to ask now. A wish that came too early is kept, and is due at ``due``."""

    def __init__(self, every: float = EVERY) -> None:
        self._every = every
        self._asked: float | None = None
        self.due: float | None = None

    def wish(self, now: float) -> bool:
        """Return whether to ask at once."""
        if self._asked is not None and now - self._asked < self._every:
            self.due = self._asked + self._every
            return False
        self._asked, self.due = now, None
        return True

    def tick(self, now: float) -> bool:
        """Return whether a wish that was kept is due."""
        return self.due is not None and now >= self.due and self.wish(now)
