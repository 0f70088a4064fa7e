"""The port between the hall and whatever carries its media. Web routes know nothing else of media.

The built-in edge is its first implementation (``link``); a media server of somebody else can take its place. Every
call may raise ``Away``: then there is no picture for now, and the ceremony goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType, Protocol

from sessions.ids import SessionId

MediaId = NewType("MediaId", str)
"""A connection of the engine: unguessable, since whoever has it may end it."""

Source = NewType("Source", str)
"""Who is seen or heard: ``host``, ``deputy``, ``supervisor``, ``bidder:ID``; ``programme``: the composed picture."""

PROGRAMME = Source("programme")


class Show(StrEnum):
    """What a viewer watches."""

    PROGRAMME = "programme"  # the composed picture, what the public sees
    FLOOR = "floor"  # who speaks, as it comes in


class Away(Exception):
    """Nobody answers: the process is down, or just starting again."""


class EngineRefused(Exception):
    """The engine says no. ``code``: ``malformed_sdp``, ``no_codec``, ``too_many``, ``unknown_media``, ``fault``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What WHIP and WHEP give back: the SDP answer, and the id of the connection."""

    id: MediaId
    sdp: str


class MediaEngine(Protocol):
    """Carries sound and picture of all sessions."""

    async def publish(self, session: SessionId, source: Source, sdp: str, *, keep: bool = True) -> Answer:
        """Take what ``source`` sends: an SDP offer for an answer. A second connection of a source ends the first.

        ``keep`` it on disk too, as it came in: where the opening was announced to be recorded.
        """

    async def watch(self, session: SessionId, sdp: str, show: Show = Show.PROGRAMME) -> Answer:
        """Show ``session`` to whoever made this offer."""

    async def check(self, sdp: str) -> Answer:
        """Take what anybody sends, for some seconds, and throw it away: a line is known before it is needed."""

    async def close(self, media: MediaId) -> None:
        """End a connection. Raises ``EngineRefused`` ``unknown_media``."""

    async def select(self, session: SessionId, source: Source) -> None:
        """Put ``source`` on the air: the floor. Viewers change over at its next keyframe."""

    async def end(self, session: SessionId, source: Source | None = None) -> None:
        """End what ``source`` sends, or everything that is sent."""

    async def sources(self, session: SessionId) -> tuple[Source, ...]:
        """Return who is connected as a source."""

    async def hang_up(self) -> None:
        """Ask nothing any more. What is carried goes on."""
