"""Who could reach whom, as it happens: bidders' signs of life, the hall's own, and when it stood still.

All of it only while keys are handed over, and only under rules that ask for evidence. One ``Reach`` a process.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from cryptography import x509

from crypto.certificates import fingerprint
from sessions.barrier.nonces import Nonces
from sessions.clock import Clock
from sessions.commands import RecordFault
from sessions.errors import CommandRefused, Stale
from sessions.ids import BidderId, Jws, SessionId
from sessions.keys.hallkey import HallKeys
from sessions.opening import Opening
from sessions.opening.evidence import Probe, measure, outages
from sessions.plan import StepKind
from sessions.ports import Evidence, Kind
from sessions.roles import CLOCK, Actor
from sessions.service import Sessions, Stores
from sessions.tasks import Tasks
from sessions.watch.heartbeat import acknowledge, probe_text, probes_file, read_beat, read_probes

AT_ONCE = 8
"""Beats in one request: what a program could not send while its line was down."""

MOST = 2000
"""Beats of one bidder in one session: eleven hours at the usual cadence."""

AGAIN = 1.0
"""Seconds until the hall tries again to note that it works."""

HALL = BidderId("")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a bidder's program needs to give signs of life. ``next`` is the number its next beat has."""

    nonce: str
    cadence: timedelta
    next: int
    acks: tuple[Jws, ...]  # the newest acknowledgement, if there is one


class Reach:
    """Takes beats in and watches over the hall itself. All methods belong to one event loop."""

    def __init__(self, sessions: Sessions, stores: Stores, *, clock: Clock, hall: HallKeys) -> None:
        self._sessions = sessions
        self._store = stores.evidence
        self._clock = clock
        self._hall = hall
        self._run = secrets.token_hex(8)
        self._watching = Tasks("reach")
        self._nonces = Nonces(sessions.events)

    # -- bidders --------------------------------------------------------------------------------------------------

    async def terms(self, session: SessionId, actor: Actor) -> Terms:
        """Return how this bidder's program is to give signs of life. Refused outside the decrypt window."""
        opening = await self._open(session, actor)
        known = await self._store.evidence(session, Kind.BEAT, BidderId(actor.id), newest=1)
        rule = opening.plan.pack.evidence
        if rule is None:
            raise CommandRefused("no_evidence_asked")
        return Terms(
            nonce=await self._nonces.of(opening, actor.id),
            cadence=measure(opening, rule).cadence,
            next=1 + max((piece.number for piece in known), default=0),
            acks=tuple(Jws(piece.answer) for piece in known),
        )

    async def hear(
        self, session: SessionId, actor: Actor, tokens: Sequence[Jws], certificate: x509.Certificate
    ) -> tuple[Jws, ...]:
        """Return an acknowledgement for each beat, durable. A beat that was here before gets the one it got.

        Raises:
            CommandRefused: the window is closed, too many came (``too_many_beats``), the certificate is not the one
                that signed the bid (``other_certificate``), or the numbers do not go on (``stale_beat``).
            StatementRefused: a beat is not one of this bidder in this window.
        """
        async with self._sessions.answering(session, often=True):
            received = self._clock.now()
            opening = await self._open(session, actor)
            if len(tokens) > AT_ONCE:
                raise CommandRefused("too_many_beats", limit=AT_ONCE)
            bid = (await self._sessions.intake(session)).bids.get(BidderId(actor.id))
            if bid is None or bid.signing_certificate != fingerprint(certificate).hex():
                raise CommandRefused("other_certificate")
            window = await self._nonces.of(opening, actor.id)
            said = [read_beat(token, certificate, session=session, bidder=actor.id, nonce=window) for token in tokens]
            known = {piece.number: piece for piece in await self._known(session, actor)}
            last = max(known, default=0)
            head = (await self._sessions.head(session))[1]
            fresh: list[Evidence] = []
            for token, payload in zip(tokens, said, strict=True):
                before = known.get(payload["n"])
                if before is not None and before.statement == token:
                    continue
                if payload["n"] != last + 1:
                    raise CommandRefused("stale_beat", next=last + 1)
                if last >= MOST:
                    raise CommandRefused("too_many_beats", limit=MOST)
                last += 1
                answer = acknowledge(
                    token,
                    payload,
                    received_at=received,
                    answered_at=max(self._clock.now(), received),
                    head=head,
                    hall=self._hall.of(opening.plan),
                )
                known[last] = piece = Evidence(
                    session=session,
                    bidder=BidderId(actor.id),
                    kind=Kind.BEAT,
                    number=last,
                    at=received,
                    statement=token,
                    answer=answer,
                )
                fresh.append(piece)
            if fresh:
                try:
                    await self._store.keep(fresh)
                except Stale:
                    raise CommandRefused("stale_beat", next=last + 1) from None
            return tuple(Jws(known[payload["n"]].answer) for payload in said)

    async def _known(self, session: SessionId, actor: Actor) -> tuple[Evidence, ...]:
        """The newest beats of this bidder: enough to know a repeated one again."""
        return await self._store.evidence(session, Kind.BEAT, BidderId(actor.id), newest=2 * AT_ONCE)

    async def _open(self, session: SessionId, actor: Actor) -> Opening:
        opening = await self._sessions.state(session)
        if opening.kind is not StepKind.DECRYPT or opening.barrier is not None:
            raise CommandRefused("window_closed", step=opening.step or "")
        if opening.due is not None and self._clock.now() >= opening.due and not opening.hold:
            raise CommandRefused("window_closed", step=opening.step or "")
        if opening.bid(actor.id) is None:
            raise CommandRefused("no_bid")
        return opening

    # -- the hall itself ------------------------------------------------------------------------------------------

    async def recover(self, sessions: Collection[SessionId] | None = None) -> None:
        """Reckon with the time since the last sign of life, before anything that fell due meanwhile is settled.

        In these sessions, or in all.
        """
        for session in await self._live(sessions):
            opening = await self._sessions.state(session)
            if self._is_on(opening):
                await self._probe(opening)

    async def start(self, sessions: Collection[SessionId] | None = None) -> None:
        """Watch wherever keys are being handed over, in these sessions or in all."""
        for session in await self._live(sessions):
            self.look(session, await self._sessions.state(session))

    async def stop(self, sessions: Collection[SessionId]) -> None:
        """Leave these to another worker."""
        await self._watching.stop(sessions)

    async def _live(self, sessions: Collection[SessionId] | None) -> list[SessionId]:
        return [session for session in await self._sessions.live() if sessions is None or session in sessions]

    def look(self, session: SessionId, opening: Opening) -> None:
        """See whether keys are being handed over, after every commit. Returns at once."""
        if self._is_on(opening):
            self._watching.begin(session, partial(self._watch, session))

    async def close(self) -> None:
        """Stop watching. What follows until the next start is time in which the hall stood still."""
        await self._watching.stop()

    def _is_on(self, opening: Opening) -> bool:
        running = opening.kind is StepKind.DECRYPT and opening.barrier is None and not opening.step_complete
        return running and opening.plan.pack.evidence is not None and opening.ended_at is None

    async def _watch(self, session: SessionId) -> None:
        while True:
            try:
                opening = await self._sessions.state(session)
                rule = opening.plan.pack.evidence
                if rule is None or not self._is_on(opening):
                    return
                rest = measure(opening, rule).cadence.total_seconds()
                await self._probe(opening)
            except Exception:  # what could not be noted is missing afterwards, and a gap is what it is
                _log.exception("the hall could not note that it works", extra={"session": session})
                rest = AGAIN
            await asyncio.sleep(rest)

    async def _probe(self, opening: Opening) -> None:
        """Write one sign of life, timed from asking to durable, and report a stretch without any."""
        session, rule = opening.plan.session, opening.plan.pack.evidence
        run = opening.run_of(StepKind.DECRYPT)
        if rule is None or run is None:
            return
        began = time.monotonic()
        before = await self._store.evidence(session, Kind.PROBE, HALL)
        took = round(1000 * (time.monotonic() - began))  # the store answers: so the hall could have served
        probe = Probe(at=self._clock.now(), took_ms=took, run=self._run)
        number = 1 + max((piece.number for piece in before), default=0)
        piece = Evidence(
            session=session,
            bidder=HALL,
            kind=Kind.PROBE,
            number=number,
            at=probe.at,
            statement=probe_text(probe),
            answer="",
        )
        try:
            await self._store.keep([piece])
        except Stale:
            return  # another worker was there, and so was the hall
        limits = measure(opening, rule)
        known = read_probes(probes_file(before))
        for lost_from, lost_until in outages(known, limits, start=run.entered_at, end=probe.at):
            if opening.hold is None and lost_until == probe.at:
                with suppress(CommandRefused):  # the hall stopped for it: then all of it is given back anyway
                    await self._sessions.handle(session, RecordFault(began=lost_from, ended=lost_until), CLOCK)
