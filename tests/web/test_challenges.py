from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from crypto.encoding import b64u, unb64u
from sessions.ids import SessionId
from web.answers.problems import Problem
from web.asking.challenges import LIFETIME, Challenges

NOW = datetime(2026, 5, 1, 1, 0, 0, 123_000, tzinfo=UTC)
MS = timedelta(milliseconds=1)


class Vault:
    """A SecretStore in memory."""

    def __init__(self) -> None:
        self._kept: dict[tuple[SessionId, str], bytes] = {}

    async def keep(self, session: SessionId, name: str, secret: bytes) -> bytes:
        return self._kept.setdefault((session, name), secret)

    async def keep_all(self, session: SessionId, secrets: Mapping[str, bytes]) -> None:
        for name, secret in secrets.items():
            await self.keep(session, name, secret)

    async def get(self, session: SessionId, name: str) -> bytes | None:
        return self._kept.get((session, name))


class Spent:
    """A SqlOnce in memory."""

    def __init__(self) -> None:
        self._until: dict[str, datetime] = {}

    async def spend(self, name: str, until: datetime, now: datetime) -> bool:
        self._until = {spent: end for spent, end in self._until.items() if end > now}
        fresh = name not in self._until
        self._until[name] = until
        return fresh


async def test_a_nonce_tells_when_it_was_issued() -> None:
    challenges = Challenges(vault=Vault(), once=Spent())
    assert await challenges.redeem(await challenges.issue(NOW), NOW + timedelta(seconds=3)) == NOW


async def test_two_nonces_of_one_moment_differ() -> None:
    challenges = Challenges(vault=Vault(), once=Spent())
    assert await challenges.issue(NOW) != await challenges.issue(NOW)


async def test_a_nonce_is_good_for_the_whole_lifetime_and_no_longer() -> None:
    challenges = Challenges(vault=Vault(), once=Spent())
    await challenges.redeem(await challenges.issue(NOW), NOW + LIFETIME)
    late = await challenges.issue(NOW)
    with pytest.raises(Problem, match="stale_challenge"):
        await challenges.redeem(late, NOW + LIFETIME + MS)


async def test_a_nonce_works_once() -> None:
    challenges = Challenges(vault=Vault(), once=Spent())
    nonce = await challenges.issue(NOW)
    await challenges.redeem(nonce, NOW)
    with pytest.raises(Problem, match="stale_challenge"):
        await challenges.redeem(nonce, NOW)


async def test_a_used_nonce_stays_used_until_it_is_too_old() -> None:
    challenges = Challenges(vault=Vault(), once=Spent())
    nonce = await challenges.issue(NOW)
    await challenges.redeem(nonce, NOW)
    await challenges.redeem(await challenges.issue(NOW + LIFETIME), NOW + LIFETIME)
    with pytest.raises(Problem, match="stale_challenge"):
        await challenges.redeem(nonce, NOW + LIFETIME)


@pytest.mark.parametrize("place", [0, 7, 8, 23, 24, 39])
async def test_a_changed_nonce_is_refused(place: int) -> None:
    challenges = Challenges(vault=Vault(), once=Spent())
    raw = bytearray(unb64u(await challenges.issue(NOW)))
    raw[place] ^= 1
    with pytest.raises(Problem, match="stale_challenge"):
        await challenges.redeem(b64u(bytes(raw)), NOW)


@pytest.mark.parametrize("nonce", ["", "x", "=", "A" * 54, "A" * 10_000, None, 7, ["A"]])
async def test_what_is_no_nonce_is_refused(nonce: object) -> None:
    challenges = Challenges(vault=Vault(), once=Spent())
    with pytest.raises(Problem, match="stale_challenge"):
        await challenges.redeem(nonce, NOW)


async def test_a_nonce_of_another_hall_is_refused() -> None:
    theirs = Challenges(vault=Vault(), once=Spent())
    ours = Challenges(vault=Vault(), once=Spent())
    with pytest.raises(Problem, match="stale_challenge"):
        await ours.redeem(await theirs.issue(NOW), NOW)


async def test_a_nonce_works_once_in_all_workers_of_a_hall_together() -> None:
    vault, once = Vault(), Spent()
    one, other = Challenges(vault=vault, once=once), Challenges(vault=vault, once=once)
    nonce = await one.issue(NOW)
    assert await other.redeem(nonce, NOW) == NOW
    with pytest.raises(Problem, match="stale_challenge"):
        await one.redeem(nonce, NOW)


async def test_a_nonce_from_the_future_is_refused() -> None:
    challenges = Challenges(vault=Vault(), once=Spent())
    with pytest.raises(Problem, match="stale_challenge"):
        await challenges.redeem(await challenges.issue(NOW + MS), NOW)
