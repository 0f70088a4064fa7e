"""The shares that officers brought, kept sealed in the vault until every lock is off."""

from __future__ import annotations

from collections.abc import Mapping

from crypto.encoding import b64u, canonical, parse_strict, unb64u
from crypto.errors import EncodingRefused
from crypto.shares import Share
from sessions.ids import BidderId
from sessions.opening import Opening
from sessions.plan import Lock
from sessions.ports import SecretStore

Place = tuple[BidderId, str]
"""A bidder and a group: where one share belongs."""

_LONGEST = 4_194_304


async def keep(
    secrets: SecretStore, opening: Opening, lock: Lock, account: str, shares: Mapping[Place, bytes]
) -> dict[Place, bytes]:
    """Keep what an officer brings now, and return what is kept: an attempt that was cut off goes before this one."""
    attempt = len(opening.locks.brought(lock, account)) + 1
    written = canonical([[bidder, group, b64u(value)] for (bidder, group), value in sorted(shares.items())])
    return _read(await secrets.keep(opening.plan.session, _name(lock, account, attempt), written))


async def kept(secrets: SecretStore, opening: Opening) -> dict[Place, list[tuple[str, Share]]]:
    """Return every share of every lock, by where it belongs, each with its lock's id."""
    found: dict[Place, list[tuple[str, Share]]] = {}
    for lock in opening.plan.every_lock:
        for number, officer in enumerate(lock.officers, start=1):
            mine: dict[Place, bytes] = {}
            for attempt in range(1, len(opening.locks.brought(lock, officer.account)) + 1):
                sealed = await secrets.get(opening.plan.session, _name(lock, officer.account, attempt))
                mine |= {} if sealed is None else _read(sealed)
            for place, value in mine.items():
                found.setdefault(place, []).append((lock.id, Share(number, value)))
    return found


def _name(lock: Lock, account: str, attempt: int) -> str:
    return f"shares/{lock.id}/{account}/{attempt}"


def _read(written: bytes) -> dict[Place, bytes]:
    try:
        return {(BidderId(who), group): unb64u(value) for who, group, value in parse_strict(written, limit=_LONGEST)}
    except (EncodingRefused, TypeError, ValueError) as error:
        raise RuntimeError("the shares kept for a lock are not of their form") from error
