"""The locks in the form that announces an opening: one row for each officer, one number for each lock.

Pure. A tender file lists officers lock by lock (sessions/announcing/lock_terms.py); people fill in rows, each with
its lock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sessions.announcing.lock_terms import MEMBERS
from sessions.plan import ESCROW, TENDERER

LOCKS: Final = ("host", "supervisor", TENDERER, ESCROW)
COLUMNS: Final = ("lock", "account", "certificate")

_ARMOUR: Final = re.compile(r"-----[A-Z ]+-----|\s")
_IN_FILE: Final = {TENDERER: ("tenderer_share", "officers"), ESCROW: ("escrow", "trustees")}
_PLACE: Final = re.compile(
    r"(locks\[(\d+)\]|tenderer_share|escrow)(?:\.(threshold)|\.(?:officers|trustees)\[(\d+)\]\.(\w+))?"
)


def locks_of(
    rows: Sequence[Mapping[str, str]], thresholds: Mapping[str, str], names: Mapping[str, str]
) -> dict[str, Any]:
    """Return the members of the tender file that the rows spell; ``names`` are those of the accounts."""
    members: dict[str, Any] = {}
    for lock in _order(rows):
        named = (row for row in rows if row["lock"] == lock)
        people = [
            {
                "account": row["account"],
                "name": names.get(row["account"]) or row["account"],
                "certificate": _ARMOUR.sub("", row["certificate"]),
            }
            for row in named
        ]
        typed = thresholds.get(lock, "") or "1"
        threshold = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 4 else typed
        member, list_of = _IN_FILE.get(lock, ("locks", "officers"))
        said = {"threshold": threshold, list_of: people}
        if member == "locks":
            members.setdefault("locks", []).append({"id": lock, **said})
        else:
            members[member] = said
    return members


def rows_of(tender: Mapping[str, Any]) -> tuple[list[dict[str, str]], dict[str, str]]:
    """Return the rows and thresholds that a tender file fills in; what is not one of a lock is left out."""
    rows: list[dict[str, str]] = []
    thresholds: dict[str, str] = {}
    for lock, said in _said(tender):
        people = said.get("trustees" if lock == ESCROW else "officers")
        thresholds[lock] = str(said.get("threshold", ""))
        for one in people if isinstance(people, list) else ():
            if isinstance(one, Mapping):
                rows.append({"lock": lock, **{name: str(one.get(name, "")) for name in COLUMNS[1:]}})
    return rows, thresholds


def input_of(path: str, rows: Sequence[tuple[int, Mapping[str, str]]]) -> str | None:
    """Return the input that a path of the tender file came from; None for one that is no lock's.

    ``rows`` are those filled in, with their numbers in the form.
    """
    found = _PLACE.fullmatch(path)
    if found is None:
        return "officers" if path.partition(".")[0].partition("[")[0] in MEMBERS else None
    lists = [lock for lock in _order([row for _, row in rows]) if lock not in _IN_FILE]
    member, index, threshold, number, column = found.groups()
    if index is None:
        lock = next(lock for lock, (name, _) in _IN_FILE.items() if name == member)
    elif int(index) < len(lists):
        lock = lists[int(index)]
    else:
        return "officers"
    if threshold:
        return f"threshold.{lock}"
    of_lock = [i for i, row in rows if row["lock"] == lock]
    if number is None or int(number) >= len(of_lock) or column not in (*COLUMNS, "name"):
        return "officers"
    return f"officers[{of_lock[int(number)]}].{'account' if column == 'name' else column}"


def _order(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """The locks that have an officer: the usual ones in their order, then others as they come."""
    return sorted(
        dict.fromkeys(row["lock"] for row in rows), key=lambda lock: LOCKS.index(lock) if lock in LOCKS else 9
    )


def _said(tender: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    listed = tender.get("locks")
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, Mapping) and isinstance(one.get("id"), str):
            yield one["id"], one
    for lock, (member, _) in _IN_FILE.items():
        if isinstance(said := tender.get(member), Mapping):
            yield lock, said
