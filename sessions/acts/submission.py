"""A sealed bid comes in: resumable, durable, checked without a key, and answered with a signed receipt or slip.

A bid is in time when its last byte was on the disk before T0; how long the checks take afterwards does not matter.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, repeat

from crypto.certificates import Usage, check_pair, fingerprint
from crypto.digest import sha256_hex
from crypto.envelope import CheckedBid, check_sealed, read_header
from crypto.errors import CryptoRefused
from crypto.receipt import Slip, issue
from sessions.barrier.behind import check_sharing
from sessions.clock import Clock
from sessions.commands import RecordLateBid, RefuseBid, SubmitBid
from sessions.errors import CommandRefused, Fenced, UnknownSession
from sessions.events import BidReceived, Recorded, Stream
from sessions.ids import BidderId, Digest, Jws, SessionId
from sessions.intake.receipts import receipt_of
from sessions.keys.hallkey import HallKeys
from sessions.outside.certifying import Certifying
from sessions.plan import Plan
from sessions.ports import Answer, Leads, Upload, UploadState, WrongOffset
from sessions.proofs import Proof
from sessions.roles import CLOCK, Actor, Role
from sessions.service import Sessions, Stores
from sessions.shape import rfc3339

DAY = timedelta(days=1)
LATE = "late"
RESTS = (0.2, 1.0, 5.0, 24.0)
"""Seconds between tries. They end, because T0 waits for them (IntakeStore.arrive)."""

_log = logging.getLogger(__name__)


class NoSuchUpload(Exception):
    """There is no such upload of this bidder: begin a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a bidder may send: one bid, and everything within 24 hours."""

    bid_bytes: int
    bidder_bytes_a_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an upload is; ``answer`` once it was complete."""

    upload: Upload
    offset: int
    answer: Answer | None = None


class Refused(CommandRefused):
    """A bid that was not taken; ``slip`` says so under the hall's key and is for the bidder to keep."""

    def __init__(self, code: str, slip: Jws, **facts: str | int) -> None:
        super().__init__(code, **facts)
        self.slip = slip


class Submissions:
    """Takes bids in. Every method's ``actor`` is a bidder whose login the caller has checked."""

    def __init__(
        self,
        sessions: Sessions,
        stores: Stores,
        *,
        clock: Clock,
        certifying: Certifying,
        hall: HallKeys,
        limits: Limits,
    ) -> None:
        self._sessions = sessions
        self._stores = stores
        self._clock = clock
        self._certifying = certifying
        self._hall = hall
        self._limits = limits
        self._answering: set[asyncio.Task[Progress]] = set()
        self._closing = False

    async def recover(self, sessions: Collection[SessionId] | None = None) -> None:
        """Answer what was complete when whoever was at it stopped, in these sessions or in all.

        Call before ``Sessions.start``. Fragments of uploads that can no longer be finished are removed.
        """
        for upload in await self._stores.intake.unanswered():
            if sessions is None or upload.session in sessions:
                await self._recover(upload)

    async def adopt(self, leading: Leads) -> None:
        """Answer what T0 waits for although the worker that was checking it is gone."""
        for upload in await self._stores.intake.orphans():
            if leading.leads(upload.session):
                await self._recover(upload)

    async def _recover(self, upload: Upload) -> None:
        intake, blobs = self._stores.intake, self._stores.blobs
        if await blobs.size(upload.id) < upload.length:
            if upload.state is UploadState.ARRIVED and await intake.adopt(upload):
                await intake.depart(upload.id)  # the disk never had the last bytes
            if (await self._sessions.intake(upload.session)).closed:
                await blobs.discard(upload.id)
                await intake.drop_upload(upload.id)
        elif await intake.adopt(upload):
            if upload.state is UploadState.OPEN:
                await intake.arrive(upload.id)
            # Not marked complete: that its last byte came before the stop cannot be shown any more.
            upload = replace(upload, completed_at=upload.completed_at or self._clock.now())
            actor = Actor(role=Role.BIDDER, id=upload.bidder, name=upload.name)
            with suppress(Refused):  # the slip is kept; the bidder finds it among its answers
                await self._complete(upload, actor)

    async def close(self) -> None:
        """Finish the answers that have begun. Call before ``Sessions.close``."""
        self._closing = True
        await asyncio.gather(*self._answering, return_exceptions=True)

    async def begin(self, session: SessionId, actor: Actor, length: int) -> Upload:
        """Open an upload of ``length`` bytes.

        Raises:
            Refused: ``late``, with the slip.
            CommandRefused: ``too_large``, ``quota_exceeded``, ``storage_full``, ``closed``.
        """
        intake = await self._sessions.intake(session)
        now = self._clock.now()
        if now >= intake.t0:
            raise await self._late(intake.plan, actor, length, now)
        if intake.closed:
            raise CommandRefused("closed")
        if not 1 <= length <= self._limits.bid_bytes:
            raise CommandRefused("too_large", limit=self._limits.bid_bytes)
        if length > await self._stores.blobs.room():
            raise CommandRefused("storage_full")
        sent = await self._stores.intake.uploaded_bytes(BidderId(actor.id), now - DAY)
        if sent + length > self._limits.bidder_bytes_a_day:
            raise CommandRefused("quota_exceeded", limit=self._limits.bidder_bytes_a_day)
        upload = Upload(
            id=secrets.token_hex(16),
            session=session,
            bidder=BidderId(actor.id),
            name=actor.name,
            length=length,
            first_byte_at=now,
        )
        await self._stores.intake.add_upload(upload)
        return upload

    async def progress(self, session: SessionId, upload: str, actor: Actor) -> Progress:
        """Return how far an upload is. Raises NoSuchUpload, also for somebody else's."""
        found = await self._own(session, upload, actor)
        return Progress(upload=found, offset=await self._stores.blobs.size(found.id))

    async def receive(
        self, session: SessionId, upload: str, actor: Actor, offset: int, pieces: AsyncIterable[bytes]
    ) -> Progress:
        """Add bytes; after the last one check the bid and answer it.

        Raises:
            Refused: the bid is late or not acceptable; with the slip.
            WrongOffset: ask for the offset and go on from there.
            NoSuchUpload: there is none of this bidder.
        """
        found = await self._own(session, upload, actor)
        if found.state is not UploadState.OPEN:
            return await self._answered(found)
        intake = await self._sessions.intake(session)
        if (now := self._clock.now()) >= intake.t0:
            raise await self._late(intake.plan, actor, found.length, now, upload=found)
        if found.length - offset > await self._stores.blobs.room():
            raise CommandRefused("storage_full")  # others came first: what is kept back belongs to who runs already
        if not await self._stores.intake.claim(found.id):
            raise WrongOffset(await self._stores.blobs.size(found.id))  # another worker takes it in, or checks it
        arrived: bool | None = None

        async def watched() -> AsyncIterator[bytes]:
            nonlocal arrived
            size = offset
            async for piece in pieces:
                size += len(piece)
                if size == found.length:  # all of it is here, and only what the hall does itself is left
                    arrived = await self._stores.intake.arrive(found.id)
                yield piece
            if size == offset == found.length:  # it was before, and the answer got lost
                arrived = await self._stores.intake.arrive(found.id)

        try:
            appended = await self._stores.blobs.append(found.id, offset, watched(), found.length)
        except BaseException as error:
            await asyncio.shield(self._lay_down(found, arrived))
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise CommandRefused("storage_full") from error  # what came until then stays, and is resumed from
            raise
        if appended.size < found.length:
            await self._lay_down(found, arrived)
            return Progress(upload=found, offset=appended.size)
        # What the database learnt after T0 had closed the intake is late, whatever this machine's clock said.
        late = not arrived and (await self._sessions.state(session)).frozen is not None
        at = max(appended.at, intake.t0) if late else appended.at
        answering = asyncio.create_task(self._complete(replace(found, completed_at=at), actor))
        # The bid is here: that the sender goes away now changes nothing about it.
        self._answering.add(answering)
        answering.add_done_callback(self._answered_one)
        return await asyncio.shield(answering)

    async def _lay_down(self, upload: Upload, arrived: bool | None) -> None:
        if arrived:
            await self._stores.intake.depart(upload.id)
            self._sessions.stir(upload.session)
        else:
            await self._stores.intake.let_go(upload.id)

    async def drop(self, session: SessionId, upload: str, actor: Actor) -> None:
        """Give an unfinished upload up. What was complete stays: it is evidence."""
        found = await self._own(session, upload, actor)
        if found.state is not UploadState.OPEN:
            raise CommandRefused("upload_complete")
        await self._stores.blobs.discard(found.id)
        await self._stores.intake.drop_upload(found.id)

    async def mine(self, session: SessionId, actor: Actor) -> tuple[Answer, ...]:
        """Return the receipts and slips this bidder was given, in order. Nobody else's, before or after T0."""
        return await self._stores.intake.answers(session, BidderId(actor.id))

    async def _own(self, session: SessionId, upload: str, actor: Actor) -> Upload:
        found = await self._stores.intake.upload(upload)
        if found is None or (found.session, found.bidder) != (session, actor.id):
            raise NoSuchUpload
        return found

    async def _answered(self, upload: Upload) -> Progress:
        answers = await self._stores.intake.answers(upload.session, upload.bidder)
        answer = next((answer for answer in answers if answer.blob == upload.id), None)
        if answer is None:
            raise WrongOffset(upload.length)  # it is being checked at this moment
        if answer.code is not None:
            raise Refused(answer.code, answer.statement)
        return Progress(upload=upload, offset=upload.length, answer=answer)

    def _answered_one(self, task: asyncio.Task[Progress]) -> None:
        self._answering.discard(task)
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, Refused):
            _log.error("a bid that is complete could not be answered", exc_info=error)

    async def _complete(self, upload: Upload, actor: Actor) -> Progress:
        """Check and answer a bid that is complete, however often the hall fails at it; only then may T0 close intake.

        It came in time, and a database that stumbles at that moment is nothing to its bidder.
        """
        rests = chain(RESTS, repeat(RESTS[-1]))
        try:
            while True:
                try:
                    return await self._answer(upload, actor)
                except (CommandRefused, UnknownSession, Fenced):  # whoever is fenced is no longer the one who answers
                    raise
                except Exception:
                    if self._closing:  # it waits for whoever comes next
                        raise
                    _log.exception("a complete bid could not be answered, trying again", extra={"upload": upload.id})
                    await asyncio.sleep(next(rests))
                    upload = replace(upload, state=UploadState.COMPLETE)
        except asyncio.CancelledError:
            await asyncio.shield(self._stores.intake.abandon(upload.id))
            raise
        finally:
            self._sessions.stir(upload.session)

    async def _answer(self, upload: Upload, actor: Actor) -> Progress:
        """Try once. In a later try ``state`` is complete: the one before may have come to its end unseen."""
        if upload.state is UploadState.COMPLETE:
            kept = await self._stores.intake.upload(upload.id)
            if kept is not None and kept.state is UploadState.ANSWERED:
                return await self._answered(kept)
        at = upload.completed_at or self._clock.now()
        await self._stores.intake.complete_upload(upload.id, at)
        await self._stores.blobs.finish(upload.id)
        intake = await self._sessions.intake(upload.session)
        if at >= intake.t0:
            self._sessions.stir(upload.session)  # its refusal waits for T0, not T0 for it
            raise await self._late(intake.plan, actor, upload.length, at, upload=upload, blob=upload.id)
        try:
            checked, proof = await self._checked(upload.id, intake.plan, at)
            record = await self._submit(upload, actor, checked, proof, at)
        except (CryptoRefused, CommandRefused) as error:
            kept = await self._stores.intake.upload(upload.id)
            if kept is not None and kept.state is UploadState.ANSWERED:
                return await self._answered(kept)  # another worker did, while this one was taken for dead
            raise await self._refuse(intake.plan, upload, actor, at, error) from error
        receipt = Jws(issue(receipt_of(record, intake.plan), self._hall.of(intake.plan)))
        header = Digest(checked.container.header_sha256)
        answer = await self._keep(upload, record.at, receipt, header=header, blob=upload.id, code=None)
        return Progress(upload=upload, offset=upload.length, answer=answer)

    async def _checked(self, blob: str, plan: Plan, at: datetime) -> tuple[CheckedBid, Proof]:
        """Check the bid; when the hall itself fails at it, try again for half a minute and then say so."""
        for rest in RESTS:
            try:
                checked = await asyncio.to_thread(self._check, blob, plan)
                return checked, await self._certify(checked, at)
            except (CryptoRefused, CommandRefused):
                raise
            except Exception:  # unreadable trust, a disk error: to refuse the bid for it would put it on the bidder
                _log.exception("a bid could not be checked, trying again", extra={"blob": blob})
                await asyncio.sleep(rest)
        raise CommandRefused("hall_error")

    async def _certify(self, checked: CheckedBid, at: datetime) -> Proof:
        """Check whose the certificates are and how they stood when the last byte was here."""
        stated = checked.declaration
        pairs = [(stated.signer, Usage.SIGN), *((each, Usage.ENCRYPT) for each in checked.encrypted_to)]
        return await self._certifying.check(pairs, at=at, offered=stated.certificates)

    def _check(self, blob: str, plan: Plan) -> CheckedBid:
        """Check everything that needs no key (crypto/FORMAT.md section 5), and that the certificates are a pair."""
        with self._stores.blobs.open(blob) as file:
            checked = check_sealed(file)
        for certificate in checked.encrypted_to:
            check_pair(checked.declaration.signer, certificate)
        if len(checked.container.header.groups) != plan.tender.envelopes:
            raise CommandRefused("wrong_envelopes", envelopes=plan.tender.envelopes)
        check_sharing(checked.container.header, plan)
        return checked

    async def _submit(
        self, upload: Upload, actor: Actor, checked: CheckedBid, proof: Proof, at: datetime
    ) -> Recorded:
        container = checked.container
        digest = Digest(container.header_sha256)
        command = SubmitBid(
            bidder=upload.bidder,
            name=actor.name,
            header_sha256=digest,
            declaration_sha256=Digest(container.declaration_sha256),
            root=Digest(checked.root),
            length=container.length,
            deadline=datetime.fromisoformat(container.header.deadline),
            sealed_tender=container.header.tender,
            sealed_lot=container.header.lot,
            sealed_bidder=BidderId(container.header.bidder),
            signing_certificate=Digest(fingerprint(checked.declaration.signer).hex()),
            first_byte_at=upload.first_byte_at,
            leaf_salt=secrets.token_hex(32),
            proof=proof,
        )
        await self._sessions.handle(upload.session, command, actor, at=at)
        # Also when it caused nothing: the same bid was received before, and its receipt is given again. Only for the
        # same bytes, though: a header does not name the signature over it.
        for record in reversed(await self._sessions.events(upload.session, Stream.INTAKE)):
            if isinstance(record.event, BidReceived) and record.event.header_sha256 == digest:
                if record.event.declaration_sha256 != command.declaration_sha256:
                    raise CommandRefused("same_header")
                return record
        raise LookupError("a bid was taken and is not in the log")

    async def _refuse(
        self, plan: Plan, upload: Upload, actor: Actor, at: datetime, error: CryptoRefused | CommandRefused
    ) -> Refused:
        header, declaration = await asyncio.to_thread(self._names, upload.id)
        command = RefuseBid(bidder=upload.bidder, name=actor.name, code=error.code, header_sha256=header)
        with suppress(CommandRefused):  # the intake may have been closed by then: the slip stands without an event
            # Under a key: a hall that dies between this and the slip comes by again, and it was refused once.
            await self._sessions.handle(upload.session, command, CLOCK, f"refuse {upload.id}", at=at)
        slip = self._slip(plan, actor, upload.length, at, error.code, header, declaration)
        await self._keep(upload, at, slip, header=header, blob=upload.id, code=error.code)
        facts = error.facts if isinstance(error, CommandRefused) else {}
        return Refused(error.code, slip, **facts)

    async def _late(
        self,
        plan: Plan,
        actor: Actor,
        length: int,
        at: datetime,
        *,
        upload: Upload | None = None,
        blob: str | None = None,
    ) -> Refused:
        """Return the refusal of a bid that came too late. A bidder's first one goes into the public record."""
        await self._sessions.settle(plan.session)  # whether T0 is over at all, the hall may not know
        if (await self._sessions.intake(plan.session)).held:
            held = CommandRefused("intake_held", t0=rfc3339((await self._sessions.intake(plan.session)).t0))
            if upload is None or blob is None:
                raise held
            return await self._refuse(plan, upload, actor, at, held)
        t0 = (await self._sessions.state(plan.session)).t0
        answers = await self._stores.intake.answers(plan.session, BidderId(actor.id))
        if before := next((answer for answer in answers if answer.code == LATE), None):
            await self._publish_late(plan, actor, before.statement)  # the hall may have died before it did
            return Refused(LATE, before.statement, t0=rfc3339(t0), received_at=rfc3339(before.at))
        header, declaration = await asyncio.to_thread(self._names, blob) if blob else (None, None)
        slip = self._slip(plan, actor, length, at, LATE, header, declaration)
        answer = Answer(
            session=plan.session,
            bidder=BidderId(actor.id),
            at=at,
            header_sha256=header,
            blob=blob,
            statement=slip,
            code=LATE,
        )
        if upload is None or blob is None:  # kept first: another try comes at another moment, and is another slip
            await self._stores.intake.answer(answer, None)
            await self._publish_late(plan, actor, slip)
        else:  # its moment is kept with it, and its slip is the same at every try; once answered nobody tries again
            await self._publish_late(plan, actor, slip)
            await self._stores.intake.answer(answer, upload.id)
        return Refused(LATE, slip, t0=rfc3339(t0), received_at=rfc3339(at))

    async def _publish_late(self, plan: Plan, actor: Actor, slip: Jws) -> None:
        """Put the late bid into the public record; the same slip only once."""
        digest = Digest(sha256_hex(slip.encode()))
        command = RecordLateBid(bidder=BidderId(actor.id), name=actor.name, slip_sha256=digest, code=LATE)
        with suppress(CommandRefused):  # nothing is recorded any more once the session is over
            await self._sessions.handle(plan.session, command, CLOCK)

    def _names(self, blob: str) -> tuple[Digest | None, Digest | None]:
        """Return the digests of header and declaration, as far as the file has them."""
        try:
            with self._stores.blobs.open(blob) as file:
                container = read_header(file)
        except CryptoRefused:
            return None, None
        return Digest(container.header_sha256), Digest(container.declaration_sha256)

    def _slip(
        self,
        plan: Plan,
        actor: Actor,
        length: int,
        at: datetime,
        code: str,
        header: Digest | None,
        declaration: Digest | None,
    ) -> Jws:
        slip = Slip(
            session=plan.session,
            tender=plan.tender.id,
            lot=plan.tender.lot,
            bidder=actor.id,
            header_sha256=header,
            declaration_sha256=declaration,
            length=length,
            received_at=rfc3339(at),
            code=code,
        )
        return Jws(issue(slip, self._hall.of(plan)))

    async def _keep(
        self, upload: Upload, at: datetime, statement: Jws, *, header: Digest | None, blob: str, code: str | None
    ) -> Answer:
        answer = Answer(
            session=upload.session,
            bidder=upload.bidder,
            at=at,
            header_sha256=header,
            blob=blob,
            statement=statement,
            code=code,
        )
        await self._stores.intake.answer(answer, upload.id)
        return answer
