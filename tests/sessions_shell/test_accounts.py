"""Staff log in with two factors, and learn nothing when they may not."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from sessions.errors import CommandRefused
from sessions.roles import Role
from sessions.store.accounts import Accounts, LoginRefused
from sessions.store.database import Database
from sessions.store.migrations import migrate
from sessions.store.staff import AccountExists, Login, SqlAccounts, SqlLogins
from sessions.store.vault import MasterKey
from tests.support.ceremony import MINUTE, SECOND, T0
from tests.support.fake_clock import FakeClock
from tests.support.shell import everything_in
from tests.support.team import by_hand, database_url

PASSWORD = "correct horse battery"
MASTER = bytes(32)


class Staff:
    """Accounts over a file, and an authenticator for the one that was created."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.store = SqlAccounts(database)
        self.accounts = Accounts(self.store, MasterKey(MASTER), clock)
        self.logins = SqlLogins(database)
        self.clock = clock
        self.secret = b""

    async def create(self, account: str = "lin") -> None:
        address = await self.accounts.create(account, "林敏", PASSWORD, [Role.HOST])
        self.secret = base64.b32decode(parse_qs(urlsplit(address).query)["secret"][0])

    def code(self, steps: int = 0) -> str:
        moment = self.clock.now() + steps * 30 * SECOND
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
        return TOTP(self.secret, 6, SHA1(), 30).generate(int(since.total_seconds())).decode()

    async def is_refused(self, account: str, password: str, code: str) -> bool:
        with pytest.raises(LoginRefused) as caught:
            await self.accounts.verify(account, password, code)
        return (caught.value.code, caught.value.facts) == ("wrong_credentials", {})


@pytest.fixture
async def staff(tmp_path: Path) -> AsyncIterator[Staff]:
    database = Database(database_url(tmp_path))
    await migrate(database)
    staff = Staff(database, FakeClock())
    await staff.create()
    yield staff
    await database.close()


async def test_password_and_code_let_in(staff: Staff) -> None:
    account = await staff.accounts.verify("lin", PASSWORD, staff.code())
    assert (account.id, account.name, account.roles) == ("lin", "林敏", frozenset({Role.HOST}))


async def test_every_wrong_factor_gets_the_same_answer(staff: Staff) -> None:
    assert await staff.is_refused("lin", "wrong", staff.code())
    assert await staff.is_refused("lin", PASSWORD, "000000")
    assert await staff.is_refused("lin", PASSWORD, "")
    assert await staff.is_refused("nobody", PASSWORD, staff.code())
    assert await staff.is_refused("nobody", PASSWORD, "数字" * 40)


async def test_a_code_works_once(staff: Staff) -> None:
    code = staff.code()
    await staff.accounts.verify("lin", PASSWORD, code)
    assert await staff.is_refused("lin", PASSWORD, code)
    staff.clock.advance(30 * SECOND)
    await staff.accounts.verify("lin", PASSWORD, staff.code())


async def test_a_code_before_the_last_used_one_does_not_work_any_more(staff: Staff) -> None:
    before = staff.code(-1)
    await staff.accounts.verify("lin", PASSWORD, staff.code())
    assert await staff.is_refused("lin", PASSWORD, before)


@pytest.mark.parametrize(("steps", "works"), [(-2, False), (-1, True), (1, True), (2, False)])
async def test_an_authenticator_may_be_off_by_one_step(staff: Staff, steps: int, works: bool) -> None:
    if works:
        assert await staff.accounts.verify("lin", PASSWORD, staff.code(steps))
    else:
        assert await staff.is_refused("lin", PASSWORD, staff.code(steps))


async def test_after_five_wrong_tries_the_account_rests(staff: Staff) -> None:
    for _ in range(4):
        assert await staff.is_refused("lin", "wrong", "000000")
    await staff.accounts.verify("lin", PASSWORD, staff.code())  # forgets them
    staff.clock.advance(MINUTE)
    for _ in range(5):
        assert await staff.is_refused("lin", "wrong", "000000")
    assert await staff.is_refused("lin", PASSWORD, staff.code())
    staff.clock.advance(MINUTE - SECOND)
    assert await staff.is_refused("lin", PASSWORD, staff.code())
    staff.clock.advance(SECOND)
    assert await staff.accounts.verify("lin", PASSWORD, staff.code())


async def test_wrong_tries_at_once_count_as_so_many(staff: Staff) -> None:
    assert all(await asyncio.gather(*(staff.is_refused("lin", "wrong", staff.code()) for _ in range(5))))
    assert await staff.is_refused("lin", PASSWORD, staff.code())
    staff.clock.advance(MINUTE)
    await staff.accounts.verify("lin", PASSWORD, staff.code())


async def test_whoever_was_let_try_before_the_account_rested_is_not_let_in_after(staff: Staff) -> None:
    async def late(account: str, step: int, now: datetime) -> bool:
        await asyncio.gather(*(staff.is_refused("lin", "wrong", staff.code()) for _ in range(5)))
        return await use_step(account, step, now)

    use_step, staff.store.use_step = staff.store.use_step, late  # type: ignore[method-assign]
    assert await staff.is_refused("lin", PASSWORD, staff.code())


async def test_the_rest_grows_to_fifteen_minutes_and_not_beyond(staff: Staff) -> None:
    for _ in range(12):
        assert await staff.is_refused("lin", "wrong", "000000")
        staff.clock.advance(15 * MINUTE)
    assert await staff.accounts.verify("lin", PASSWORD, staff.code())


async def test_the_second_factor_alone_confirms_an_act(staff: Staff) -> None:
    assert (await staff.accounts.confirm("lin", staff.code())).id == "lin"
    with pytest.raises(LoginRefused):
        await staff.accounts.confirm("lin", staff.code())
    with pytest.raises(LoginRefused):
        await staff.accounts.confirm("nobody", "000000")


async def test_a_disabled_account_is_shut_out(staff: Staff) -> None:
    await staff.accounts.disable("lin")
    assert await staff.is_refused("lin", PASSWORD, staff.code())
    (account,) = await staff.accounts.every()
    assert account.disabled


async def test_a_new_password_replaces_the_old(staff: Staff) -> None:
    await staff.accounts.set_password("lin", "another long password")
    assert await staff.is_refused("lin", PASSWORD, staff.code())
    await staff.accounts.verify("lin", "another long password", staff.code())


async def test_what_may_not_be_an_account(staff: Staff) -> None:
    for password, code in (("eleven char", "password_too_short"), ("x" * 257, "password_too_long")):
        with pytest.raises(CommandRefused) as caught:
            await staff.accounts.create("new", "N", password, [Role.HOST])
        assert caught.value.code == code
    for roles in ([], [Role.CLOCK], [Role.HOST, Role.BIDDER]):
        with pytest.raises(CommandRefused) as caught:
            await staff.accounts.create("new", "N", PASSWORD, roles)
        assert caught.value.code == "not_a_staff_role"
    with pytest.raises(AccountExists):
        await staff.create("lin")


async def test_neither_password_nor_secret_is_on_the_disk(staff: Staff, tmp_path: Path) -> None:
    disk = everything_in(tmp_path)
    assert "林敏".encode() in disk
    for secret in (PASSWORD.encode(), staff.secret, base64.b32encode(staff.secret), staff.secret.hex().encode()):
        assert secret not in disk


async def test_a_login_is_found_by_its_token_until_it_runs_out(staff: Staff, tmp_path: Path) -> None:
    login = Login(
        kind="staff", subject="lin", name="林敏", certificate=None, created_at=T0, expires_at=T0 + timedelta(hours=12)
    )
    await staff.logins.add("token-1", login)
    assert await staff.logins.find("token-1", T0 + timedelta(hours=11)) == login
    assert await staff.logins.find("token-1", T0 + timedelta(hours=12)) is None
    assert await staff.logins.find("token-2", T0) is None
    with by_hand(tmp_path) as connection:
        assert "token-1" not in str(connection.execute("SELECT * FROM logins"))


async def test_a_logout_ends_one_login_or_all_of_somebody(staff: Staff) -> None:
    for token, subject in (("1", "lin"), ("2", "lin"), ("3", "lin"), ("4", "zhao")):
        login = Login(
            kind="staff", subject=subject, name="", certificate=b"der", created_at=T0, expires_at=T0 + MINUTE
        )
        await staff.logins.add(token, login)
    await staff.logins.end(["2"])
    assert len(await staff.logins.of("staff", "lin")) == 2
    await staff.logins.end_all("staff", "lin")
    assert [await staff.logins.find(token, T0) is None for token in "1234"] == [True, True, True, False]
