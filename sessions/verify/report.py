"""What was checked and what came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from sessions.plan import Words
from sessions.verify.fates import Verdict
from sessions.verify.sentences import EXTRA, SENTENCES

T = TypeVar("T")


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"  # what it needs did not pass, so nothing can be said


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One named check. ``zh`` and ``en`` say what holds if it passed; ``detail`` has figures, or what is wrong."""

    id: str
    zh: str
    en: str
    outcome: Outcome
    detail: str

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All checks in their order. ``ok`` only if every one passed; a skipped one is not passed. With a receipt: only
    if its bid was counted, or lawfully was not (sessions.verify.omission).

    ``hall_key`` is the ``kid`` of the key that signed the bundle: whose it is, the reader has to ask the hall.
    ``taken`` is what else the checks took from the bundle itself and nothing in it can show.
    """

    checks: tuple[Check, ...]
    session: str | None
    title: Words | None
    hall_key: str | None
    verdict: Verdict | None = None
    taken: tuple[Words, ...] = ()

    @property
    def ok(self) -> bool:
        return all(check.passed for check in self.checks) and (self.verdict is None or self.verdict.ok)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed; without those that were skipped because of them."""
        return tuple(check for check in self.checks if check.outcome is Outcome.FAILED)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values; ``receipt`` only if there was one."""
        said = self.verdict
        about = {"fate": said.fate, "ok": said.ok, "evidence": list(said.evidence)} if said else {}
        return {
            **({"receipt": {**about, "zh": said.words.zh, "en": said.words.en}} if said else {}),
            "ok": self.ok,
            "session": self.session,
            "hall_key": self.hall_key,
            "taken": [{"zh": each.zh, "en": each.en} for each in self.taken],
            "checks": [
                {"id": c.id, "zh": c.zh, "en": c.en, "outcome": c.outcome.value, "detail": c.detail}
                for c in self.checks
            ],
        }


class Failed(Exception):
    """A check does not hold, for the reason that the message gives."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a check leaves for the checks after it, and the figures to show."""

    value: Any
    detail: str


class Run:
    """The checks as they are made. Each gets what earlier ones found; None means that one of those did not pass."""

    def __init__(self) -> None:
        self.checks: list[Check] = []

    def __call__(self, name: str, function: Callable[..., Found], *needs: Any) -> Any:
        """Make the check ``name`` and return what it found, or None."""
        if any(need is None for need in needs):
            self._note(name, Outcome.SKIPPED, "")
            return None
        try:
            found = function(*needs)
        except Failed as error:
            self._note(name, Outcome.FAILED, str(error))
        except Exception as error:  # the file is a stranger's: whatever it makes a check stumble over is its fault
            self._note(name, Outcome.FAILED, f"{type(error).__name__}: {error}"[:500])
        else:
            self._note(name, Outcome.PASSED, found.detail)
            return found.value
        return None

    def _note(self, name: str, outcome: Outcome, detail: str) -> None:
        words = SENTENCES.get(name) or EXTRA[name]
        self.checks.append(Check(id=name, zh=words.zh, en=words.en, outcome=outcome, detail=detail))


def require(holds: bool, otherwise: str) -> None:
    """Raise Failed with ``otherwise`` unless ``holds``."""
    if not holds:
        raise Failed(otherwise)
