"""Who takes part: people who look at the opening now and then, do what is theirs, and try again when a line breaks.

Each act has one idempotency key for all its tries, as the page gives it one.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from crypto.draw import Share, commitment
from hall.views.audience import Audience
from hall.views.patch import apply
from hall.wire.errors import HallRefused
from hall.wire.frames import Form
from sessions import commands as c
from sessions.acts.submission import NoSuchUpload
from sessions.codec import Command
from sessions.errors import CommandRefused, Overloaded
from sessions.events import Recorded
from sessions.ids import BidderId, Digest, Jws, SessionId, StepId
from sessions.opening import OVER, BidState, Opening, floor, permitted
from sessions.opening.state import Draw, ProposalState
from sessions.opening.steps import following
from sessions.ports import Answer, WrongOffset
from sessions.roles import Actor, Role
from tests.sim.machines import Gone, Machine
from tests.support.ceremony import SUPERVISOR, a_release, check_in, digest

if TYPE_CHECKING:
    from tests.sim.world import World


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What somebody was told has happened."""

    key: str
    records: tuple[Recorded, ...]


@dataclass
class Person:
    """One seat of one opening: a bidder, or one of the staff."""

    session: SessionId
    actor: Actor
    world: World
    chance: random.Random
    told: list[Acknowledged] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    tried: int = 0

    async def live(self) -> None:
        """Come back every few seconds until the opening is over, less often while there is nothing to do."""
        rest = 4.0
        while True:
            await asyncio.sleep(self.chance.uniform(0.3, rest))
            o = await self.looks()
            if o is None:
                continue
            if o.status in OVER:
                return
            wanted = [(what, command) for what, command in self.wants(o) if what not in self.done]
            for what, command in wanted:
                if self.chance.random() < 0.8:
                    await self.does(what, command)
            rest = 4.0 if wanted else min(2 * rest, 30.0)

    async def looks(self) -> Opening | None:
        machine = self.world.any_machine()
        if machine is None:
            return None
        try:
            return await machine.ask(lambda: machine.sessions.state(self.session))
        except Gone:
            return None

    async def does(self, what: str, command: Command) -> None:
        """Send it until somebody answers: broken lines are tried again with the same key, now and then twice."""
        self.tried += 1
        key = f"{what} #{self.tried}"
        twice = self.chance.random() < 0.1
        for _ in range(200):
            machine = self.world.any_machine()
            try:
                if machine is None:
                    raise Gone
                records = await self._send(machine, key, command)
            except (Gone, Overloaded):
                await asyncio.sleep(self.chance.uniform(0.1, 2))
                continue
            except CommandRefused as refused:
                self.world.note(f"{self.actor.id} {key}: refused, {refused.code}")
                return
            self.told.append(Acknowledged(key, records))
            self.done.add(what)
            if not twice:
                return
            twice = False

    async def _send(self, machine: Machine, key: str, command: Command) -> tuple[Recorded, ...]:
        return await machine.ask(lambda: machine.sessions.handle(self.session, command, self.actor, key))

    def wants(self, o: Opening) -> Iterator[tuple[str, Command]]:
        raise NotImplementedError

    def draws(self, draw: Draw) -> Iterator[tuple[str, Command]]:
        """Bind oneself to a number first, and show it once everybody has."""
        who, number = self.actor, draw.round
        role = "host" if who.role is Role.DEPUTY else who.role.value
        seed = bytes.fromhex(digest(f"{who.id} {number}"))
        party = draw.party(Role(role), who.id)
        if party is None and not draw.closed and who.id not in draw.out:
            bound = commitment(self.session, number, Share(role=role, party=who.id, seed=seed))
            signed = Jws("signed.by." + who.id) if who.role is Role.BIDDER else None
            yield f"commit {number}", c.CommitDraw(round=number, commitment=Digest(bound.hex()), statement=signed)
        elif party is not None and draw.closed:
            yield f"reveal {number} {draw.closed}", c.RevealDraw(round=number, seed=seed.hex())


@dataclass
class Official(Person):
    """Host, deputy or supervisor; one in a hurry ends it as soon as the bids are listed."""

    hurries: bool = False

    def wants(self, o: Opening) -> Iterator[tuple[str, Command]]:
        me = self.actor.id
        if "TakeChair" in permitted(o, self.actor) and all(chair.account != me for chair in o.chairs):
            yield "chair", c.TakeChair()
        for one in o.proposals:
            if one.state is ProposalState.OPEN and one.by.id != me:
                yield f"approve {one.number}", c.Approve(proposal=one.number)
        if o.draw is not None and o.draw.drawn is None and o.kind == "draw" and me == o.acting:
            yield from self.draws(o.draw)
        if self.actor == SUPERVISOR:
            if o.draw is not None and o.draw.drawn is None and o.kind == "draw":
                yield from self.draws(o.draw)
            if self.chance.random() < 0.02:
                yield f"note {self.chance.randrange(9)}", c.Note(text="现场正常")
        elif o.acting == me:
            yield from self._leads(o)
        if o.kind == "sign" and not o.step_complete:
            yield "sign", c.SignRecord(signer=me, statement=Jws("signed.by." + me))

    def _leads(self, o: Opening) -> Iterator[tuple[str, Command]]:
        if o.hold is not None and not any(
            one.act == "Resume" and one.state is ProposalState.OPEN for one in o.proposals
        ):
            yield f"resume {len(o.pauses)} {len(o.proposals)}", c.Resume(reason="恢复正常")
        elif self.chance.random() < 0.01 and len(o.pauses) < 3:
            yield f"pause {len(o.pauses)}", c.Pause(reason="核对设备", incident=False)
        if o.kind == "decrypt" and not o.step_complete and self.chance.random() < 0.02:
            yield f"extend {self.chance.randrange(3)}", c.ExtendWindow(reason="网络拥堵")
        for item in o.objections:
            if item.open:
                yield f"answer {item.number}", c.AnswerObjection(number=item.number, text="已核实")
        if self.hurries and o.listed and all(one.act != "Abort" for one in o.proposals):
            yield "abort", c.Abort(reason="招标人要求终止")
        yield from self._moderates(o)
        for bid in o.bids:
            if bid.consequence == "pending" and all(one.state is not ProposalState.OPEN for one in o.proposals):
                yield (
                    f"cause {bid.row} {len(o.proposals)}",
                    c.RuleCause(bidder=bid.bidder, cause="X1", reason="证据不足"),
                )
        step = following(o)
        if step is not None and step.starts == "host" and o.step_complete:
            yield f"advance {step.id}", c.Advance(step=StepId(step.id))

    def _moderates(self, o: Opening) -> Iterator[tuple[str, Command]]:
        """Give the floor and take it; now and then to a second one, which is refused."""
        speech = self.world.speech
        for turn in o.turns if speech is not None else ():
            if turn.ended_at is not None:
                continue
            what, often = f"{turn.bidder} {turn.asked_at.timestamp()}", 0.1 if turn.speaking or o.speaker else 0.7
            if turn.asking and speech.random() < often:
                yield f"grant {what}", c.GrantFloor(bidder=turn.bidder)
            elif speech.random() < 0.1:
                yield f"end {what}", c.EndFloor(bidder=turn.bidder, reason="发言时间已到")


@dataclass
class Tenderer(Person):
    """A bidder, with the ways in which bidders differ. ``sends_at`` are the moments its bids are complete."""

    bids: list[tuple[datetime, bytes]] = field(default_factory=list)
    comes: bool = True
    keeps_its_key: bool = True
    quarrels: bool = False
    receipts: list[Answer] = field(default_factory=list)
    slips: list[str] = field(default_factory=list)

    async def submits(self) -> None:
        """Send each bid in turn, so that its last byte leaves at about the moment planned."""
        for moment, data in self.bids:
            await asyncio.sleep(max(0.0, (moment - self.world.clock.now()).total_seconds()))
            await self._sends(data)

    async def _sends(self, data: bytes) -> None:
        """Upload resumably, as `kaibiao submit` does, until there is a receipt or a refusal."""
        upload: str | None = None
        while True:
            machine = self.world.any_machine()
            await asyncio.sleep(self.chance.uniform(0.001, 0.05))
            try:
                if machine is None:
                    raise Gone
                if upload is None:
                    upload = await self._begins(machine, len(data))
                elif (answer := await self._goes_on(machine, upload, data)) is not None:
                    self.receipts.append(answer)
                    return
            except (Gone, Overloaded, WrongOffset):
                await asyncio.sleep(self.chance.uniform(0.2, 3))
            except NoSuchUpload:  # a fragment that could not be finished any more
                upload = None
            except CommandRefused as refused:
                if refused.code != "intake_held":
                    self.slips.append(refused.code)
                    return
                upload = None  # nothing is taken while the hall stands still, and nothing is late
                await asyncio.sleep(self.chance.uniform(5, 20))

    async def _begins(self, machine: Machine, length: int) -> str:
        begun = await machine.ask(lambda: machine.submissions.begin(self.session, self.actor, length))
        return begun.id

    async def _goes_on(self, machine: Machine, upload: str, data: bytes) -> Answer | None:
        there = await machine.ask(lambda: machine.submissions.progress(self.session, upload, self.actor))
        left = len(data) - there.offset
        # By a share of it: a bid is some bytes longer or shorter each time it is sealed.
        end = len(data) if self.chance.random() < 0.7 else there.offset + int(left * self.chance.random())

        async def bytes_of_it() -> AsyncIterator[bytes]:
            await asyncio.sleep(self.chance.uniform(0, 0.2))
            yield data[there.offset : end]

        sent = await machine.ask(
            lambda: machine.submissions.receive(self.session, upload, self.actor, there.offset, bytes_of_it())
        )
        return sent.answer

    def wants(self, o: Opening) -> Iterator[tuple[str, Command]]:
        me = BidderId(self.actor.id)
        if not self.comes:
            return
        bid = o.bid(me)
        if (o.status == "checkin" and self.receipts) or (bid is not None and o.listed and bid.checked_in_at is None):
            yield "check in", check_in(self.actor)
        if bid is None:
            return
        if o.draw is not None and o.draw.drawn is None and o.kind == "draw":
            yield from self.draws(o.draw)
        if o.kind == "decrypt" and not o.step_complete and self.keeps_its_key and bid.state is BidState.WAITING:
            if self.chance.random() < 0.1:
                yield f"wrong {self.chance.randrange(99)}", a_release(self.actor, "stale_nonce")
            yield "release", a_release(self.actor)
        if o.kind == "confirm" and not o.step_complete and bid.state is BidState.OPENED:
            if self.quarrels:
                yield "dispute", c.DisputeRow(bidder=me, text="单价有误")
            else:
                yield "confirm", c.ConfirmRow(bidder=me, statement=Jws("confirmed.by." + me))
        if o.kind == "objection" and not o.step_complete:
            if self.quarrels:
                yield "object", c.Object(bidder=me, recusal=False, title="程序", text="请说明")
            yield "no objection", c.NoObjection(bidder=me)
        if o.kind == "sign" and not o.step_complete:
            yield "sign", c.SignRecord(signer=me, statement=Jws("signed.by." + me))
        yield from self._speaks(o)

    def _speaks(self, o: Opening) -> Iterator[tuple[str, Command]]:
        """Ask for the floor, and give it back or take the asking back, or forget it."""
        me, speech = BidderId(self.actor.id), self.world.speech
        if speech is None:
            return
        turn = floor.standing(o, me)
        if turn is None and floor.is_open(o) and speech.random() < 0.3:
            yield f"ask to speak {speech.randrange(99)}", c.AskFloor(bidder=me)
        elif turn is not None and speech.random() < (0.3 if turn.speaking else 0.1):
            yield f"stop speaking {speech.randrange(99)}", c.EndFloor(bidder=me)


@dataclass
class Onlooker:
    """Somebody who follows the stream and keeps nothing but what it was sent: number by number, patch by patch."""

    session: SessionId
    audience: Audience
    world: World
    chance: random.Random
    number: int = 0
    view: dict[str, Any] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    async def live(self) -> None:
        while True:
            machine = self.world.any_machine()
            if machine is None:
                await asyncio.sleep(self.chance.uniform(0.1, 1))
                continue
            try:
                await machine.ask(lambda machine=machine: self._follow(machine))  # type: ignore[misc]
            except (Gone, HallRefused):
                await asyncio.sleep(self.chance.uniform(0.05, 2))

    async def _follow(self, machine: Machine) -> None:
        """Be written to until the patience is over or the hall sends everybody home; stop reading now and then."""
        gone = asyncio.Event()
        seat = await machine.hub.attach(
            self.session,
            self.audience,
            self.number,
            form=Form.LINES,
            write=lambda chunk: self._hears(chunk, machine),
            closed=lambda _: gone.set(),
        )
        try:
            for _ in range(self.chance.randint(1, 6)):
                seat.resume()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.chance.uniform(0.5, 30)):
                        await gone.wait()
                if gone.is_set():
                    return
                seat.pause()
                await asyncio.sleep(self.chance.choice((0, 0.5, 20)))
        finally:
            seat.leave()

    def _hears(self, chunk: bytes, machine: Machine) -> None:
        if not machine.dead:
            for line in chunk.splitlines():
                self._take(json.loads(line))

    def _take(self, message: dict[str, Any]) -> None:
        if "n" not in message:
            return
        if message["n"] != self.number + 1:
            self.world.broken.append(f"{self.audience.key} got {message['n']} after {self.number}")
        self.number = message["n"]
        self.view = apply(self.view, message["patch"])
        self.seen.append(message["digest"])
