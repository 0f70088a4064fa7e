"""A hall without a web: the real service over a real SQLite file, with real bidders, and a clock that is moved."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509

from crypto.container import read_header
from crypto.digest import sha256_hex
from crypto.encoding import unb64u
from crypto.envelope import unlock
from crypto.locks import Lock, make_split_release
from crypto.paths import Trust
from crypto.release import load_session_public, make_release
from crypto.signing import sign
from sessions.acts.officers import Brought, Officers
from sessions.acts.reach import Reach
from sessions.acts.readying import Readying
from sessions.acts.releasing import Challenge, Releasing, Verdict
from sessions.acts.rescuing import Rescuing
from sessions.acts.submission import Limits, Submissions
from sessions.barrier.behind import certificates
from sessions.barrier.lockbox import Place
from sessions.clock import Clock
from sessions.commands import Advance, TakeChair
from sessions.events import Recorded, Stream
from sessions.ids import BidderId, Jws, SessionId, StepId
from sessions.keys.hallkey import HallKeys
from sessions.logging_receipts import ReceiptLogs
from sessions.opening import Opening
from sessions.outside.certifying import Certifying
from sessions.ports import Answer, Revocation
from sessions.roles import Actor, Role
from sessions.service import Sessions, Stores
from sessions.store.database import Database
from sessions.store.migrations import migrate
from sessions.store.opened import stores
from sessions.watch.heartbeat import BEAT, beat_payload
from sessions.watch.vigil import Vigil
from tests.support.bidders import Bidder, Sealed, a_bidder, a_sealed_bid, the_authority
from tests.support.ceremony import DEPUTY, HOST, MINUTE, SECOND, SUPERVISOR, T0, TENDER, a_plan
from tests.support.fake_clock import FakeClock
from tests.support.officers import an_officer
from tests.support.s3 import blobs_of
from tests.support.team import database_url, files_of_the_database
from web.participant.officer import open_all
from web.routes.locks import share_form

SESSION = SessionId("gx-1")
LIMITS = Limits(bid_bytes=64 * 1024 * 1024, bidder_bytes_a_day=256 * 1024 * 1024)


@dataclass
class Bell:
    """An announcer that remembers what it was told."""

    rung: list[Recorded] = field(default_factory=list)
    foreseen: tuple[Recorded, ...] = ()

    def announce(self, session: SessionId, records: tuple[Recorded, ...]) -> None:
        self.rung += records

    def foresee(self, session: SessionId, records: tuple[Recorded, ...]) -> None:
        self.foreseen = records


@dataclass
class Shell:
    """One process of the hall over one folder."""

    folder: Path
    clock: Clock
    database: Database
    stores: Stores
    sessions: Sessions
    submissions: Submissions
    releasing: Releasing
    officers: Officers
    receipt_logs: ReceiptLogs
    reach: Reach
    rescuing: Rescuing
    readying: Readying
    bell: Bell

    def trusts(self, trust: Trust, revocation: Revocation | None = None) -> None:
        """From here on the hall believes others, or asks somebody of revocation."""
        self.asks(lambda: trust, revocation)

    def asks(self, trust: Callable[[], Trust], revocation: Revocation | None = None) -> None:
        """From here on the hall learns in this way whom it believes."""
        certifying = Certifying(trust, revocation=revocation, proofs=self.stores.proofs)
        self.submissions._certifying = self.releasing._certifying = certifying
        self.sessions.asks_again(certifying.again)

    async def state(self) -> Opening:
        return await self.sessions.state(SESSION)

    async def log(self, stream: Stream = Stream.OPENING) -> list[str]:
        return [type(record.event).__name__ for record in await self.sessions.events(SESSION, stream)]

    async def submit(self, sealed: Sealed, who: Actor | None = None) -> Answer:
        """Upload a bid in two pieces, as a client does."""
        actor = who or the_actor(sealed.bidder)
        upload = await self.submissions.begin(SESSION, actor, len(sealed.data))
        half = len(sealed.data) // 2
        await self.submissions.receive(SESSION, upload.id, actor, 0, pieces(sealed.data[:half]))
        done = await self.submissions.receive(SESSION, upload.id, actor, half, pieces(sealed.data[half:]))
        assert done.answer is not None
        return done.answer

    async def release(self, sealed: Sealed, group: str = "A") -> Verdict:
        """Answer the challenge as the bidder's program does."""
        actor = the_actor(sealed.bidder)
        challenge = await self.releasing.challenge(SESSION, actor, group)
        return await self.releasing.release(SESSION, actor, a_token(sealed, challenge))

    async def beat(self, sealed: Sealed, key: str = "ready", **changes: object) -> Jws:
        """Give a sign of life as the bidder's program does, and return the hall's acknowledgement."""
        actor = the_actor(sealed.bidder)
        terms = await self.reach.terms(SESSION, actor)
        payload = beat_payload(
            session=SESSION,
            bidder=actor.id,
            nonce=terms.nonce,
            n=terms.next,
            at=self.clock.now(),
            key=key,
            seen=1,
            lost=0,
            rtt_ms=[12],
            ack=sha256_hex(terms.acks[0].encode()) if terms.acks else None,
        )
        token = Jws(sign({**payload, **changes}, BEAT, sealed.bidder.sign))
        (ack,) = await self.reach.hear(SESSION, actor, [token], sealed.bidder.sign.certificate)
        return ack

    async def brings(self, who: Actor, *, spoilt: Collection[str] = ()) -> Brought:
        """Remove a lock as the officer's program does; the shares of the bidders in ``spoilt`` come out wrong."""
        return await self.officers.bring(SESSION, who, await self.opens(who, spoilt=spoilt))

    async def opens(self, who: Actor, *, spoilt: Collection[str] = ()) -> dict[Place, bytes | None]:
        """Return what the officer's own machine makes of the shares sealed to it."""
        work = await self.officers.shares(SESSION, who)
        form = {
            "cert": work.lock.officers[work.index - 1].certificate,
            "shares": [share_form(SESSION, work.lock.id, one) for one in work.shares],
        }
        opened = open_all(form, an_officer(who.id))
        values = {(BidderId(one["bidder"]), one["group"]): one["share"] and unb64u(one["share"]) for one in opened}
        return {place: bytes(32) if place[0] in spoilt else value for place, value in values.items()}

    async def host_takes_over_the_room(self) -> None:
        for chair in (HOST, DEPUTY, SUPERVISOR):
            await self.sessions.handle(SESSION, TakeChair(), chair)

    async def begin_to_decrypt(self, clock: FakeClock, bids: list[Sealed]) -> None:
        """Hold the opening of ``bids`` until its decrypt window has just begun."""
        await self.sessions.create(a_plan())
        for bid in bids:
            await self.submit(bid)
        clock.set(T0 - 30 * MINUTE)
        await self.host_takes_over_the_room()
        clock.set(T0 + SECOND)
        await self.sessions.settle(SESSION)
        await self.work_done()
        await self.advance("ceiling")
        await self.advance("decrypt")

    async def advance(self, step: str) -> None:
        await self.sessions.handle(SESSION, Advance(step=StepId(step)), HOST)

    async def work_done(self) -> None:
        """Wait until the hall has done the slow work that is due."""
        await self.sessions.idle()


def the_actor(bidder: Bidder) -> Actor:
    return Actor(role=Role.BIDDER, id=bidder.id, name=_name(bidder.sign.certificate))


def _name(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)[0].value)


def a_token(sealed: Sealed, challenge: Challenge, **changes: str) -> Jws:
    """The release that the bidder's program signs for this challenge."""
    container = read_header(sealed.file)
    answers = {"session": challenge.session, "nonce": challenge.nonce, **changes}
    if challenge.session_key is None:
        return Jws(
            make_split_release(
                container,
                challenge.group,
                unlock(container, challenge.group, sealed.bidder.encrypt),
                locks=[
                    Lock(id=lock.id, threshold=lock.threshold, certificates=certificates(lock))
                    for lock in challenge.locks
                ],
                signer=sealed.bidder.sign,
                **answers,
            )
        )
    return Jws(
        make_release(
            container,
            challenge.group,
            unlock(container, challenge.group, sealed.bidder.encrypt),
            session_key=load_session_public(challenge.session_key),
            signer=sealed.bidder.sign,
            **answers,
        )
    )


def a_bid_for_this(name: str, price: str = "1200000.00", **changes: object) -> Sealed:
    """A real sealed bid of the organisation ``name`` for the tender of ``a_plan``."""
    given = {"tender": TENDER["id"], "lot": TENDER["lot"], "deadline": TENDER["deadline"], **changes}
    return a_sealed_bid(b"%PDF-1.7 technical", bidder=a_bidder(name), quote={"price": price}, **given)  # type: ignore[arg-type]


async def pieces(data: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def the_trust() -> Trust:
    return Trust(anchors=(the_authority().certificate,))


@asynccontextmanager
async def a_shell(
    folder: Path,
    clock: Clock | None = None,
    *,
    start: bool = True,
    bucket: bool = False,
    watched: Callable[[Database], Vigil] | None = None,
) -> AsyncIterator[Shell]:
    """Start a hall over ``folder`` and stop it in good order.

    ``bucket``: its bids lie in an S3 store. ``watched`` makes what watches over the hall itself.
    """
    database = Database(database_url(folder))
    try:
        await migrate(database)
    except BaseException:
        await database.close()
        raise
    clock = clock or FakeClock()
    kept = stores(database, folder, clock, blobs_of(folder, clock) if bucket else None)
    bell = Bell()
    vigil = None if watched is None else watched(database)
    sessions = Sessions(kept, clock=clock, announcer=bell, guard=vigil)
    certifying = Certifying(the_trust, proofs=kept.proofs)
    keys = HallKeys.in_folder(folder)
    submissions = Submissions(sessions, kept, clock=clock, certifying=certifying, hall=keys, limits=LIMITS)
    releasing = Releasing(sessions, kept, clock=clock, certifying=certifying)
    readying = Readying(sessions, kept, clock=clock, certifying=certifying, hall=keys)
    rescuing = Rescuing(sessions, kept, clock=clock, certifying=certifying)
    reach = Reach(sessions, kept, clock=clock, hall=keys)
    try:
        if vigil is not None:
            await vigil.recover()
        if start:
            await submissions.recover()
            await sessions.start()
        logs = ReceiptLogs(sessions, events=kept.events, secrets=kept.secrets, clock=clock)
        officers = Officers(sessions, kept)
        parts = (database, kept, sessions, submissions, releasing, officers, logs, reach, rescuing, readying)
        yield Shell(folder, clock, *parts, bell)
    finally:
        await submissions.close()
        await sessions.close()
        await database.close()


def everything_in(folder: Path) -> bytes:
    """Return every byte a hall keeps: what somebody finds who takes its disk away."""
    return files_of_the_database(folder) + b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())
