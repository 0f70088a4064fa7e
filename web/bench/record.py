"""A long record to verify: many bidders, many more events, everything in it genuine, made without a server.

The rules make every event but one kind: thousands of failed attempts to unlock, which are chained as the rules would
have made them. So making the record costs seconds, and verifying it asks the rules about each.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any, BinaryIO, Final

from crypto import authority
from crypto.certificates import Credential, Usage, bidder_id
from crypto.container import read_header
from crypto.digest import sha256_hex
from crypto.encoding import b64u, canonical
from crypto.envelope import open_group, seal, unlock
from crypto.paths import Trust
from crypto.receipt import issue
from crypto.signing import HallKey, sign
from sessions import commands as c
from sessions import intake as intakes
from sessions import opening as openings
from sessions.announcing.announcement import make_plan
from sessions.archive.bundle import Archive
from sessions.chaining import Head, chain
from sessions.events import AttemptFailed, Happening, Recorded, Stream
from sessions.ids import BidderId, Digest, Jws, SessionId, StepId
from sessions.intake.receipts import receipt_of
from sessions.keys.hallkey import HallKeys
from sessions.outside.opening_log import OpeningLog
from sessions.plan_json import plan_to_json
from sessions.ports import Answer
from sessions.roles import CLOCK, Actor, Role
from sessions.sealed_set import set_root

SESSION: Final = SessionId("bench-record")
T0: Final = datetime(2026, 11, 21, 1, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)
HOST: Final = Actor(role=Role.HOST, id="host", name="林主持")
SUPERVISOR: Final = Actor(role=Role.SUPERVISOR, id="supervisor", name="顾监督")
STAFF: Final = (HOST, SUPERVISOR)
TENDER: Final[dict[str, Any]] = {
    "id": "BENCH-1",
    "lot": "1",
    "title": {"zh": "长记录", "en": "A long record"},
    "tenderer": {"zh": "招标人", "en": "Tenderer"},
    "place": {"zh": "网上", "en": "Online"},
    "deadline": "2026-11-21T01:00:00Z",
    "currency": "CNY",
    "pack": "cn-works",
    "quote": {"fields": [{"id": "price", "kind": "money", "label": {"zh": "报价", "en": "Price"}}]},
    "seats": [{"account": one.id, "role": one.role.value, "name": one.name} for one in STAFF],
}


def make_record(bidders: int, events: int) -> bytes:
    """Return the bundle of an opening with this many bidders and about as many events."""
    making = _Making(bidders)
    making.play(events)
    return asyncio.run(making.bundle())


class _Making:
    """The opening being made, and what the archive asks of the stores."""

    def __init__(self, bidders: int) -> None:
        self.hall = HallKey.generate()
        self.root = authority.create("Bench Root", at=T0 - timedelta(days=100))
        self.plan = make_plan(TENDER, session=SESSION)
        self.now = T0 - timedelta(hours=3)
        self.records: dict[Stream, list[Recorded]] = {stream: [] for stream in Stream}
        self.opening: openings.Opening | None = None
        self.intake: intakes.Intake | None = None
        self.given: list[Answer] = []
        self.blobs: dict[str, bytes] = {}
        self.people: list[tuple[Actor, Credential, bytes]] = []
        self._heads = {stream: Head() for stream in Stream}
        self.act(c.Schedule(plan=plan_to_json(self.plan)), CLOCK)
        self.take(c.Schedule(plan=plan_to_json(self.plan)), CLOCK)
        for number in range(bidders):
            self._bid(number)

    @property
    def it(self) -> openings.Opening:
        assert self.opening is not None
        return self.opening

    def act(self, command: c.OpeningCommand, actor: Actor) -> None:
        for happening in openings.decide(self.opening, command, actor, self.now):
            self._record(happening)

    def take(self, command: c.IntakeCommand, actor: Actor) -> Recorded | None:
        record = None
        for happening in intakes.decide(self.intake, command, actor, self.now):
            record = self._chained(Stream.INTAKE, happening)
            self.intake = intakes.evolve(self.intake, record)
        return record

    def _record(self, happening: Happening) -> None:
        self.opening = openings.evolve(self.opening, self._chained(Stream.OPENING, happening))

    def _chained(self, stream: Stream, happening: Happening) -> Recorded:
        record = chain(self._heads[stream], SESSION, stream, happening)
        self._heads[stream] = self._heads[stream].after(record)
        self.records[stream].append(record)
        return record

    def _bid(self, number: int) -> None:
        name = f"投标人{number}"
        identifier = authority.demo_identifier(name)
        pair = [
            authority.issue(self.root, name=name, identifier=identifier, usage=usage, at=T0 - timedelta(days=90))
            for usage in (Usage.SIGN, Usage.ENCRYPT)
        ]
        sign_with, encrypt_with = pair
        out = BytesIO()
        made = seal(
            out,
            tender=TENDER["id"],
            lot=TENDER["lot"],
            deadline=TENDER["deadline"],
            quote={"price": f"{1_000_000 + number}.00"},
            signer=sign_with,
            encrypt_to=[encrypt_with.certificate],
        )
        container = read_header(out)
        key = open_group(out, container, "A", unlock(container, "A", encrypt_with)).part_key("quote")
        actor = Actor(role=Role.BIDDER, id=bidder_id(sign_with.certificate), name=name)
        self.people.append((actor, sign_with, key))
        self.now += SECOND
        command = c.SubmitBid(
            bidder=BidderId(actor.id),
            name=name,
            header_sha256=Digest(made.header_sha256),
            declaration_sha256=Digest(made.declaration_sha256),
            root=Digest(made.root),
            length=made.length,
            deadline=T0,
            sealed_tender=TENDER["id"],
            sealed_lot=TENDER["lot"],
            sealed_bidder=BidderId(actor.id),
            signing_certificate=Digest(made.header.sig_cert.hex()),
            first_byte_at=self.now,
            leaf_salt=f"{number:064x}",
        )
        record = self.take(command, actor)
        assert record is not None
        self.blobs[f"bid-{number}"] = out.getvalue()
        token = Jws(issue(receipt_of(record, self.plan), self.hall))
        answer = Answer(
            session=SESSION, bidder=BidderId(actor.id), at=self.now, header_sha256=Digest(made.header_sha256),
            blob=f"bid-{number}", statement=token, code=None,
        )  # fmt: skip
        self.given.append(answer)

    def play(self, events: int) -> None:
        self._until(T0 - timedelta(minutes=10))
        for one in STAFF:
            self.act(c.TakeChair(), one)
        self._until(T0)
        self._freeze()
        self.act(c.SealChecks(results={bid.bidder: "ok" for bid in self.it.bids}), CLOCK)
        self.act(c.Advance(step=StepId("decrypt")), HOST)
        self._attempts(events - len(self.records[Stream.OPENING]) - 5 * len(self.people) - 20)
        for actor, _, _ in self.people:
            digest = Digest(sha256_hex(actor.id.encode()))
            self.act(c.RecordRelease(bidder=BidderId(actor.id), group="A", release_sha256=digest, code=None), actor)
        self._open()
        self._wait()
        self.act(c.Advance(step=StepId("confirm")), HOST)
        for actor, credential, _ in self.people:
            row = self.it.bid(actor.id)
            assert row is not None
            said = self._said("confirm", credential, bidder=actor.id, quote_sha256=row.quote_sha256)
            self.act(c.ConfirmRow(bidder=BidderId(actor.id), statement=said), actor)
        for actor, _, _ in self.people:
            self.act(c.NoObjection(bidder=BidderId(actor.id)), actor)
        self.act(c.Advance(step=StepId("sign")), HOST)
        assert self.it.drawn is not None
        record = self.it.drawn.sha256
        for actor, credential, _ in self.people:
            said = self._said("record", credential, signer=actor.id, record_sha256=record)
            self.act(c.SignRecord(signer=actor.id, statement=said), actor)
        for one in STAFF:
            said = self._said("record", self.hall, signer=one.id, record_sha256=record)
            self.act(c.SignRecord(signer=one.id, statement=said), one)

    def _said(self, kind: str, by: Credential | HallKey, **members: object) -> Jws:
        return Jws(sign({"v": 1, "session": SESSION, **members}, kind, by))

    def _until(self, moment: datetime) -> None:
        self.now = moment
        self.act(c.Tick(), CLOCK)

    def _wait(self) -> None:
        due = openings.next_due(self.it)
        assert due is not None
        self._until(due)

    def _freeze(self) -> None:
        self.take(c.Tick(), CLOCK)
        assert self.intake is not None
        bids, head = intakes.sealed_bids(self.intake), self._heads[Stream.INTAKE]
        closing = c.CloseIntake(
            bids=bids,
            root=set_root([bid.header_sha256 for bid in bids]),
            intake_head=head.digest,
            intake_length=head.number,
            session_key="BKey",
            clock_offset_ms=None,
        )
        self.act(closing, CLOCK)

    def _attempts(self, count: int) -> None:
        """Every bidder in turn types a wrong password, again and again."""
        for number in range(count):
            turn, place = divmod(number, len(self.people))
            actor = self.people[place][0]
            self.now += timedelta(milliseconds=20)
            tried = AttemptFailed(
                bidder=BidderId(actor.id), attempt=turn + 1, release_sha256=None, private={"code": "wrong_password"}
            )
            self._record(Happening(at=self.now, actor=actor, event=tried))

    def _open(self) -> None:
        keys = {actor.id: (number, key) for number, (actor, _, key) in enumerate(self.people)}
        opened = []
        for bid in self.it.bids:
            number, key = keys[bid.bidder]
            quote = {"price": f"{1_000_000 + number}.00"}
            digest = Digest(sha256_hex(canonical(quote)))
            opened.append(
                c.Opened(bidder=bid.bidder, quote=quote, quote_sha256=digest, quote_key=b64u(key), code=None)
            )
        self.act(c.RecordOpenings(opened=tuple(opened)), CLOCK)

    # -- what the archive asks of the stores ---------------------------------------------------------------------

    async def bundle(self) -> bytes:
        stores: Any = self
        proofs: Any = _NoProofs()
        keys = HallKeys([self.hall])
        archive = Archive(
            events=stores, intake=stores, openings=OpeningLog(stores, stores, keys), checkpoints=stores,
            secrets=stores, evidence=stores, proofs=proofs, blobs=stores,
            trust=lambda: Trust(anchors=(self.root.certificate,)), hall=keys,
        )  # fmt: skip
        return await archive.bundle(SESSION)

    async def read(self, _: SessionId, stream: Stream) -> tuple[Recorded, ...]:
        return tuple(self.records[stream])

    async def answers(self, _: SessionId) -> tuple[Answer, ...]:
        return tuple(self.given)

    async def entries(self, _: SessionId) -> tuple[bytes, ...]:
        return ()

    async def kept(self, *_: object, **__: object) -> tuple[()]:
        return ()

    async def evidence(self, *_: object, **__: object) -> tuple[()]:
        return ()

    def open(self, name: str) -> BinaryIO:
        return BytesIO(self.blobs[name])


class _NoProofs:
    """Nobody looked at a certificate: this plan asks for no proofs."""

    async def get(self, _: object) -> dict[Digest, bytes]:
        return {}
