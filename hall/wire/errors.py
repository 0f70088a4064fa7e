"""Why a reader is turned away. The doors turn each into a close code or a status (PROTOCOL.md, Doors)."""

from __future__ import annotations


class HallRefused(Exception):
    """A reader that may not come in now. ``close`` is the WebSocket close code, ``status`` the HTTP one."""

    code = "refused"
    close = 4403
    status = 403


class BadCursor(HallRefused):
    """``after`` is not a number, is negative, or is ahead of the log: load the view and begin from its number."""

    code = "bad_cursor"
    close = 4400
    status = 400


class TooManyWatchers(HallRefused):
    """The house is full, or this address or bidder has all the streams it may have: poll instead."""

    code = "too_many_watchers"
    close = 1013
    status = 503

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"no more streams for now: poll, or come back after {retry_after} s")
        self.retry_after = retry_after


class FullHouse(TooManyWatchers):
    """This process has all the readers it can carry: take the log's segments, from the head document on."""


class Stalled(HallRefused):
    """A reader took nothing for too long: come back with the number it has."""

    code = "stalled"
    close = 1013
    status = 503


class GoingAway(HallRefused):
    """The server is going down: come back after a moment of your own choosing."""

    code = "going_away"
    close = 1012
    status = 503
