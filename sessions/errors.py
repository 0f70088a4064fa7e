"""Why something is refused. Rendered at one edge (web.answers.errors), with the article behind the code."""

from __future__ import annotations


class CommandRefused(Exception):
    """A command that may not be done now, or not by this actor, or not in this form.

    ``code`` is stable and names the rule (RulePack.refusals gives its article); ``facts`` are values for the
    sentence shown to people (sessions.wording.refusals).
    """

    def __init__(self, code: str, **facts: str | int) -> None:
        super().__init__(f"{code} {facts}" if facts else code)
        self.code = code
        self.facts = facts


class PlanRefused(Exception):
    """A tender file that no opening can be planned from: ``field`` names the place, ``code`` the rule."""

    def __init__(self, code: str, field: str, **facts: str | int) -> None:
        super().__init__(f"{field}: {code} {facts}" if facts else f"{field}: {code}")
        self.code = code
        self.field = field
        self.facts = facts


class Stale(Exception):
    """Somebody appended first: load what is new, decide again."""


class Unchecked(Exception):
    """T0 cannot close the intake yet: a bid that was complete before it is still being checked."""


class Fenced(Exception):
    """This worker was silent for too long and others took its sessions over: nothing was written.

    It joins again by itself. Send the command again, to any worker, with the same idempotency key.
    """


class UnknownSession(Exception):
    """No session has this id."""


class Unanswered(Exception):
    """The store went away before it answered: what it was asked to keep may be kept or not. Ask again."""

    retry_after = 2


class Overloaded(Exception):
    """Too many commands are waiting; try again after ``retry_after`` seconds with the same idempotency key."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many commands are waiting, retry after {retry_after} s")
        self.retry_after = retry_after
