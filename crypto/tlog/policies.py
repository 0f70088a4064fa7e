"""Which witnesses count, and how many of them (c2sp.org/tlog-policy, FORMAT.md section 12.4).

Of the standard's language this is the part that people read at a glance: witnesses, at most one group, one quorum.
"""

import re
from dataclasses import dataclass

from crypto.errors import NoteRefused
from crypto.tlog.witnesses import WitnessKey, cosignatures

MAX_WITNESSES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """``quorum`` of these witnesses must have cosigned a checkpoint. A quorum of 0 asks nothing of them."""

    witnesses: tuple[WitnessKey, ...]
    quorum: int

    def __post_init__(self) -> None:
        keys, names = {one.raw for one in self.witnesses}, {one.name for one in self.witnesses}
        if len(keys) < len(self.witnesses) or len(names) < len(self.witnesses):
            raise NoteRefused("malformed_policy", detail="one witness twice")
        if not 0 <= self.quorum <= len(self.witnesses) <= MAX_WITNESSES:
            raise NoteRefused("malformed_policy", detail="no such quorum")

    def require(self, note: str | bytes) -> dict[str, int]:
        """Return who cosigned and when, as ``cosignatures``; raise unless the quorum is reached."""
        said = cosignatures(note, self.witnesses)
        if len(said) < self.quorum:
            raise NoteRefused("not_witnessed")
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A witness as a policy file lists it; ``url`` is its submission prefix, or empty."""

    key: WitnessKey
    url: str


def read_policy(text: str) -> tuple[tuple[Witness, ...], Policy]:
    """Return the witnesses of a policy file and the policy they make.

    Lines: ``witness NAME VKEY [URL]``, ``group NAME all|any|K WITNESS...``, ``quorum NAME|none``; empty lines and
    ``#`` comments. ``log`` lines are read over: which log is meant is known here. Refused: a group of groups, and a
    witness that could not count.
    """
    witnesses: dict[str, Witness] = {}
    groups: dict[str, tuple[int, list[str]]] = {}
    quorum: str | None = None
    for line in text.split("\n"):
        match words := re.split("[ \t]+", line.strip(" \t")):
            case [""] | ["log", _] | ["log", _, _]:
                continue
            case [word, *_] if word.startswith("#"):
                continue
            case ["witness", name, vkey] | ["witness", name, vkey, _] if name not in {"none", *witnesses, *groups}:
                url = words[3] if len(words) == 4 else ""
                witnesses[name] = Witness(key=WitnessKey.parse(vkey), url=url)
            case ["group", name, count, *members] if (
                members and set(members) <= witnesses.keys() and name not in {"none", *witnesses, *groups}
            ):
                groups[name] = (_count(count, len(members)), members)
            case ["quorum", name] if quorum is None and name in {"none", *witnesses, *groups}:
                quorum = name
            case _:
                raise NoteRefused("malformed_policy", detail=line[:80])
    if quorum is None or len(groups) > 1:
        raise NoteRefused("malformed_policy", detail="one group at most, and exactly one quorum")
    needed, members = groups.get(quorum, (0, list(witnesses)) if quorum == "none" else (1, [quorum]))
    if sorted(members) != sorted(witnesses):
        raise NoteRefused("malformed_policy", detail="every witness stands once in the quorum's group")
    listed = tuple(witnesses.values())
    return listed, Policy(witnesses=tuple(one.key for one in listed), quorum=needed)


def _count(text: str, members: int) -> int:
    count = {"all": members, "any": 1}.get(text) or (int(text) if text.isascii() and text.isdecimal() else 0)
    if not 1 <= count <= members:
        raise NoteRefused("malformed_policy", detail="no such threshold")
    return count
