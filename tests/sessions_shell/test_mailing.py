"""Notices go out once a day, by whichever worker, to a real mail server, which may be away as long as it likes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from crypto.certificates import Usage
from sessions.ids import SessionId
from sessions.notices.due import Coming, Contact, Held, Notice, day_of
from sessions.notices.mailing import FIRST_AGAIN, LONGEST_AGAIN, Mailing
from sessions.plan import Words
from sessions.ports import Queued, Sending
from sessions.store.contacts import SqlContacts, SqlOutbox
from sessions.store.database import Database
from sessions.store.masterkey import MasterKeys
from sessions.store.migrations import migrate
from sessions.store.resealing import reseal, retire, under
from sessions.store.vault import SecretDamaged
from tests.support.fake_clock import FakeClock
from tests.support.mail import Letterbox, a_mail_server, silent_port
from tests.support.shell import everything_in
from tests.support.team import by_hand, database_url, files_of_the_database
from web.outside.letters import letter
from web.outside.smtp import MailServer, Tls

DAY = timedelta(days=1)


class Worker:
    """One of the hall's workers, as far as notices go."""

    def __init__(self, folder: Path, clock: FakeClock, box: Letterbox) -> None:
        self.database = Database(database_url(folder))
        self.clock = clock
        self.contacts = SqlContacts(self.database, MasterKeys(folder))
        self.outbox = SqlOutbox(self.database)
        self.openings: list[Coming] = []
        self._box = box
        self.mailing = self.begin()

    def begin(self) -> Mailing:
        """Start the mailing anew, as another process would."""
        self.mailing = Mailing(self.contacts, self.outbox, self._openings, self._post, self.clock)
        return self.mailing

    async def _openings(self) -> Sequence[Coming]:
        return self.openings

    async def _post(self, said: Notice) -> None:
        server = MailServer(host="127.0.0.1", port=self._box.port, tls=Tls.NEVER, sender="hall@example.org")
        await server.send(letter(said, sender=server.sender, origin="https://hall.example", now=self.clock.now()))

    async def state(self, account: str) -> Queued:
        """Return what the outbox says of an account today."""
        found = await self.outbox.newest(account)
        assert found is not None
        return found

    async def knows(self, account: str, *, days: int = 5) -> Contact:
        """Keep a contact whose certificate ends so many days from now."""
        ends = self.clock.now() + days * DAY
        made = Contact(
            account=account,
            address=f"{account}@example.org",
            held=(Held(usage=Usage.SIGN, serial="77A0", ends=ends),),
        )
        await self.contacts.keep(made)
        return made


@pytest.fixture
async def box() -> AsyncIterator[Letterbox]:
    async with a_mail_server() as box:
        yield box


@pytest.fixture
async def pair(tmp_path: Path, box: Letterbox) -> AsyncIterator[tuple[Worker, Worker]]:
    clock = FakeClock()
    workers = Worker(tmp_path, clock, box), Worker(tmp_path, clock, box)
    await migrate(workers[0].database)
    yield workers
    for worker in workers:
        await worker.database.close()


@pytest.fixture
def worker(pair: tuple[Worker, Worker]) -> Worker:
    return pair[0]


async def test_whoever_has_a_certificate_that_ends_is_told_once_a_day(worker: Worker, box: Letterbox) -> None:
    await worker.knows("ending")
    await worker.knows("lasting", days=300)
    for _ in range(3):
        await worker.mailing.look()
    assert box.addresses == ["ending@example.org"]
    assert (await worker.state("ending")).state is Sending.SENT
    await worker.begin().look()  # a restart sends nothing again
    assert len(box.taken) == 1
    worker.clock.advance(DAY)
    await worker.mailing.look()
    assert box.addresses == ["ending@example.org"] * 2
    first, second = box.taken
    assert first["message-id"] != second["message-id"]


async def test_two_workers_send_no_notice_twice(pair: tuple[Worker, Worker], box: Letterbox) -> None:
    accounts = [f"company-{number}" for number in range(12)]
    for account in accounts:
        await pair[0].knows(account)
    await asyncio.gather(*(worker.mailing.look() for worker in pair for _ in range(2)))
    assert sorted(box.addresses) == sorted(f"{account}@example.org" for account in accounts)


async def test_a_claim_is_one_workers_alone_until_its_time_is_over(pair: tuple[Worker, Worker]) -> None:
    one, other = pair
    await one.knows("ending")
    now = one.clock.now()
    await one.outbox.fill(day_of(now), ["ending"], now)
    (seen,) = await one.outbox.waiting(day_of(now), now, 10)
    assert await one.outbox.claim(seen, now + FIRST_AGAIN)
    assert not await other.outbox.claim(seen, now + FIRST_AGAIN)
    assert await other.outbox.waiting(day_of(now), now, 10) == ()
    (again,) = await other.outbox.waiting(day_of(now), now + FIRST_AGAIN, 10)  # whoever claimed it died
    assert await other.outbox.claim(again, now + DAY)


async def test_a_mail_server_that_is_away_holds_nothing_up_and_gets_everything_when_it_is_back(
    tmp_path: Path,
) -> None:
    async with AsyncExitStack() as serving:
        box = await serving.enter_async_context(a_mail_server())
        worker = Worker(tmp_path, FakeClock(), box)
        serving.push_async_callback(worker.database.close)
        await migrate(worker.database)
        for account in ("a", "b"):
            await worker.knows(account)
        box.port, there = serving.enter_context(silent_port()), box.port
        await worker.mailing.look()
        since = worker.clock.now()
        assert worker.mailing.away is not None
        assert worker.mailing.away == (since, "SMTPConnectError")
        assert [(await worker.state(account)).tries for account in ("a", "b")] == [1, 0]  # no try for each in vain
        worker.clock.advance(FIRST_AGAIN / 2)
        await worker.mailing.look()
        assert worker.mailing.away == (since, "SMTPConnectError")
        assert box.taken == []
        box.port = there
        worker.clock.advance(LONGEST_AGAIN)
        await worker.mailing.look()
        assert sorted(box.addresses) == ["a@example.org", "b@example.org"]
        assert worker.mailing.away is None


async def test_an_address_that_is_refused_is_left_alone_and_one_that_is_put_off_is_tried_again(
    worker: Worker, box: Letterbox
) -> None:
    box.refusing = {"gone@example.org": "550 no such user", "full@example.org": "452 mailbox full"}
    for account in ("gone", "full", "well"):
        await worker.knows(account)
    await worker.mailing.look()
    assert box.addresses == ["well@example.org"]
    assert (await worker.state("gone")).state is Sending.REFUSED
    assert (await worker.state("full")).state is Sending.WAITING
    assert worker.mailing.away is None  # the server is there
    box.refusing.clear()
    worker.clock.advance(FIRST_AGAIN)
    await worker.mailing.look()
    assert box.addresses == ["well@example.org", "full@example.org"]


async def test_a_notice_of_yesterday_is_not_sent_today(worker: Worker, box: Letterbox) -> None:
    contact = await worker.knows("ending")
    box.refusing = {"ending@example.org": "452 mailbox full"}
    await worker.mailing.look()
    box.refusing.clear()
    newer = replace(contact.held[0], ends=contact.held[0].ends + 300 * DAY)
    await worker.contacts.keep(replace(contact, held=(newer,)))
    worker.clock.advance(DAY)
    await worker.mailing.look()
    assert box.taken == []
    assert await worker.outbox.newest("ending") is None


async def test_what_was_renewed_or_erased_since_the_morning_is_not_told_of(worker: Worker, box: Letterbox) -> None:
    renewed, _ = await worker.knows("renewed"), await worker.knows("erased")
    now = worker.clock.now()
    await worker.outbox.fill(day_of(now), ["renewed", "erased"], now)
    worker.mailing._filled = day_of(now)
    lasting = replace(renewed.held[0], ends=now + 300 * DAY)
    await worker.contacts.renew("renewed", lasting)
    await worker.contacts.erase("erased")
    await worker.mailing.look()
    assert box.taken == []
    assert (await worker.state("renewed")).state is Sending.NEEDLESS
    assert await worker.outbox.newest("erased") is None


async def test_an_opening_that_is_announced_is_in_the_next_notice(worker: Worker, box: Letterbox) -> None:
    await worker.knows("far", days=60)
    await worker.mailing.look()
    t0 = worker.clock.now() + 90 * DAY
    worker.openings = [Coming(session=SessionId("zb-9"), title=Words(zh="排水", en="Drainage"), t0=t0)]
    assert box.taken == []
    worker.clock.advance(DAY)
    await worker.mailing.look()
    (message,) = box.taken
    assert "https://hall.example/s/zb-9" in message.get_content()


async def test_an_address_is_on_the_disk_only_sealed_and_goes_when_it_is_erased(
    tmp_path: Path, worker: Worker
) -> None:
    await worker.knows("bidder-of-the-tests")
    disk = everything_in(tmp_path) + files_of_the_database(tmp_path)
    assert b"bidder-of-the-tests" in disk
    assert b"bidder-of-the-tests@" not in disk
    await worker.contacts.erase("bidder-of-the-tests")
    assert await worker.contacts.get("bidder-of-the-tests") is None
    with by_hand(tmp_path) as connection:
        assert connection.execute("SELECT count(*) FROM contacts") == [(0,)]


async def test_a_newer_certificate_takes_the_place_of_the_older_and_an_erased_contact_stays_erased(
    worker: Worker,
) -> None:
    contact = await worker.knows("company")
    older, newer = (replace(contact.held[0], serial="0001", ends=contact.held[0].ends + n * DAY) for n in (-1, 300))
    await worker.contacts.renew("company", older)
    assert await worker.contacts.get("company") == contact
    await worker.contacts.renew("company", newer)
    assert await worker.contacts.get("company") == replace(contact, held=(newer,))
    await worker.contacts.erase("company")
    await worker.contacts.renew("company", replace(newer, ends=newer.ends + DAY))
    assert await worker.contacts.get("company") is None


async def test_contacts_are_sealed_anew_under_a_newer_master_key(tmp_path: Path, worker: Worker) -> None:
    contact = await worker.knows("company")
    keys = MasterKeys(tmp_path)
    assert keys.rotate() == 2
    assert (await reseal(worker.database, keys)).anew == 1
    assert await under(worker.database, keys) == {2: 1, 1: 0}
    assert await retire(worker.database, keys) == (1,)
    assert await SqlContacts(worker.database, MasterKeys(tmp_path)).get("company") == contact


async def test_a_contact_that_does_not_open_keeps_no_other_from_being_told(
    tmp_path: Path, worker: Worker, box: Letterbox
) -> None:
    await worker.knows("moved")
    await worker.knows("well")
    with by_hand(tmp_path) as connection:
        connection.execute("INSERT INTO contacts SELECT 'stolen', sealed FROM contacts WHERE account = 'moved'")
    with pytest.raises(SecretDamaged):
        await worker.contacts.get("stolen")
    await worker.mailing.look()
    assert sorted(box.addresses) == ["moved@example.org", "well@example.org"]


async def test_the_task_goes_on_when_the_store_is_away_for_a_while(worker: Worker, box: Letterbox) -> None:
    await worker.knows("ending")
    asked = 0

    async def openings() -> Sequence[Coming]:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise ConnectionError
        return []

    mailing = Mailing(worker.contacts, worker.outbox, openings, worker._post, worker.clock, every=0.01)
    mailing.start()
    async with asyncio.timeout(60):
        await box.filled.wait()
    await mailing.close()
    assert box.addresses == ["ending@example.org"]
