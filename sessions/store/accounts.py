"""Staff accounts: a password (Argon2id, RFC 9106) and a one-time code (TOTP, RFC 6238), both, every time.

An unknown account, a wrong password, a wrong code and a locked account get the same answer after the same work, so
that nobody learns which accounts exist.
"""

from __future__ import annotations

import asyncio
import hmac
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from sessions.clock import Clock
from sessions.errors import CommandRefused
from sessions.ids import AccountId
from sessions.roles import STAFF, Role
from sessions.store.staff import SqlAccounts, StoredAccount
from sessions.store.vault import Master, SecretDamaged

ISSUER = "Kaibiao"
SHORTEST = 12
"""Characters of a password. Long beats complicated, and there is no rule about kinds of characters (ASVS 6.2)."""

LONGEST = 256
TRIES = 5
LOCK = timedelta(minutes=1)
LONGEST_LOCK = timedelta(minutes=15)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEP = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A member of staff: the trading centre's, the tenderer's or the supervising authority's."""

    id: AccountId
    name: str
    roles: frozenset[Role]
    disabled: bool = False


class LoginRefused(CommandRefused):
    """Account, password or code is wrong, or there were too many tries: wait some minutes and try again."""

    def __init__(self) -> None:
        super().__init__("wrong_credentials")


class Accounts:
    """The staff accounts of this hall."""

    def __init__(self, store: SqlAccounts, master: Master, clock: Clock) -> None:
        self._store = store
        self._master = master
        self._clock = clock
        self._nobody = _hash(os.urandom(16).hex())

    async def create(self, account: str, name: str, password: str, roles: Iterable[Role]) -> str:
        """Keep a new account and return the ``otpauth:`` address for the authenticator, which is shown only now.

        Raises:
            CommandRefused: ``password_too_short``, ``password_too_long``, ``not_a_staff_role``.
            AccountExists: there is one already.
        """
        _check_password(password)
        chosen = frozenset(roles)
        if not chosen or chosen - STAFF:
            raise CommandRefused("not_a_staff_role")
        secret = os.urandom(20)
        hashed = await asyncio.to_thread(_hash, password)
        with self._master.sealing() as key:
            stored = StoredAccount(
                id=AccountId(account),
                name=name,
                password=hashed,
                totp=key.seal("", totp_name(account), secret),
                totp_used=0,
                roles=chosen,
                failures=0,
                locked_until=None,
                disabled=False,
            )
            await self._store.add(stored)
        return _totp(secret).get_provisioning_uri(account, ISSUER)

    async def verify(self, account: str, password: str, code: str) -> Account:
        """Return the account if password and code are right; raise LoginRefused.

        A code works once. After five wrong tries the account rests, one minute at first and at most fifteen.
        """
        found = await self._store.get(account)
        right = await asyncio.to_thread(_matches, found.password if found else self._nobody, password[:LONGEST])
        step = self._step(found, code)
        if found is None:
            raise LoginRefused
        await self._judge(found, step if right else None)
        return _account(found)

    async def confirm(self, account: str, code: str) -> Account:
        """Return the account if the one-time code is right, for an act that needs the second factor again."""
        found = await self._store.get(account)
        step = self._step(found, code)
        if found is None:
            raise LoginRefused
        await self._judge(found, step)
        return _account(found)

    async def set_password(self, account: str, password: str) -> None:
        """Give the account another password."""
        _check_password(password)
        await self._store.change(account, password=await asyncio.to_thread(_hash, password))

    async def disable(self, account: str) -> None:
        """Shut the account out. End its logins too (SqlLogins.end_all)."""
        await self._store.change(account, disabled=True)

    async def every(self) -> tuple[Account, ...]:
        """Return all accounts."""
        return tuple(map(_account, await self._store.every()))

    async def get(self, account: str) -> Account | None:
        """Return one account, also a disabled one."""
        found = await self._store.get(account)
        return _account(found) if found else None

    async def _judge(self, found: StoredAccount, step: int | None) -> None:
        now = self._clock.now()
        if found.disabled or (found.locked_until is not None and now < found.locked_until):
            raise LoginRefused
        if step is not None and await self._store.use_step(found.id, step, now):
            return
        failures = await self._store.fail(found.id)
        if failures >= TRIES:
            rest = min(LOCK * 2 ** min(failures - TRIES, 4), LONGEST_LOCK)
            await self._store.change(found.id, locked_until=now + rest)
        raise LoginRefused

    def _step(self, found: StoredAccount | None, code: str) -> int | None:
        """Return the time step whose code this is: the present one, or its neighbours for clocks that are off."""
        try:
            secret = self._master.open("", totp_name(found.id), found.totp) if found else bytes(20)
        except SecretDamaged:
            secret = os.urandom(20)
        present = (self._clock.now() - _EPOCH) // _STEP
        steps = (present - 1, present, present + 1)
        matching = [
            step for step in steps if hmac.compare_digest(_totp(secret).generate(step * 30), code.encode()[:16])
        ]
        return matching[-1] if matching and found else None


def _totp(secret: bytes) -> TOTP:
    # SHA-1 and six digits: what every authenticator takes. HMAC does not lean on collision resistance.
    return TOTP(secret, 6, SHA1(), 30)  # noqa: S303  # RFC 6238's own hash


def totp_name(account: str) -> str:
    """Return the name that an account's sealed secret is bound to."""
    return f"totp/{account}"


def _hash(password: str) -> str:
    # OWASP's choice: 19 MiB, two passes, one lane.
    argon2 = Argon2id(salt=os.urandom(16), length=32, iterations=2, lanes=1, memory_cost=19_456)
    return argon2.derive_phc_encoded(password.encode())


def _matches(stored: str, password: str) -> bool:
    try:
        Argon2id.verify_phc_encoded(password.encode(), stored)
    except InvalidKey:
        return False
    return True


def _check_password(password: str) -> None:
    if len(password) < SHORTEST:
        raise CommandRefused("password_too_short", shortest=SHORTEST)
    if len(password) > LONGEST:
        raise CommandRefused("password_too_long", longest=LONGEST)


def _account(stored: StoredAccount) -> Account:
    return Account(id=stored.id, name=stored.name, roles=stored.roles, disabled=stored.disabled)
