"""What was recorded so far, on record while the opening goes on."""

from __future__ import annotations

from sessions.commands import NoteRecording
from sessions.errors import CommandRefused
from sessions.events import RecordingNoted
from sessions.opening.draft import Draft


def note(draft: Draft, command: NoteRecording) -> None:
    """Note how far the recording has come; it only grows, and the same again changes nothing."""
    o = draft.opening
    if not o.plan.recording:
        raise CommandRefused("not_recorded")
    if command.size > o.recorded:
        draft.put(RecordingNoted(size=command.size, root=command.root, until=command.until, gaps=command.gaps))
