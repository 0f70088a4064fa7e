"""What people may write into a record: something, and not without end."""

from __future__ import annotations

from sessions.errors import CommandRefused

LONGEST = 4000
"""Characters of a reason, a note, an objection or an answer."""


def given(text: str, field: str, longest: int = LONGEST) -> str:
    """Return ``text`` if there is any and it is not too long; refuse it otherwise."""
    if not text.strip():
        raise CommandRefused("text_missing", field=field)
    if len(text) > longest:
        raise CommandRefused("text_too_long", field=field, longest=longest)
    return text
