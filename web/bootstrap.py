"""Where real things are chosen: one function builds everything a hall runs on, from its settings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from sqlalchemy.engine import make_url
from starlette.requests import HTTPConnection

from hall.buses.buckets import SharedBuckets, Unreachable
from hall.buses.bus import Bus, LocalBus
from hall.buses.postgres import PostgresBus
from hall.buses.redis import RedisBus
from hall.hub import Hub
from hall.limits import LIMITS, RATES, Buckets, Limits
from hall.media.port.engine import MediaEngine
from hall.media.port.floor import FollowFloor
from hall.media.port.places import Places
from hall.media.voice.sample import LinkedVoice
from hall.rooms.lags import Lags
from hall.timekeeper import Timekeeper
from hall.views.audience import Audience
from sessions import failpoint
from sessions.acts.notary import Notary, Outside
from sessions.acts.officers import Officers
from sessions.acts.reach import Reach
from sessions.acts.readying import Readying
from sessions.acts.releasing import Releasing
from sessions.acts.rescuing import Rescuing
from sessions.acts.submission import Limits as BidLimits
from sessions.acts.submission import Submissions
from sessions.archive.bundle import Archive
from sessions.clock import Clock, SystemClock
from sessions.keys.hallkey import HallKeys
from sessions.logging_receipts import ReceiptLogs
from sessions.notices.due import Coming, Notice, announced
from sessions.notices.mailing import Mailing
from sessions.outside.certifying import Certifying
from sessions.outside.opening_log import OpeningLog
from sessions.outside.receipt_proofs import ReceiptProofs
from sessions.outside.stamping import Stamping
from sessions.plan import ClockTerms, IntakeLog, Plan
from sessions.recording.log import RecordingLog
from sessions.recording.tail import Tail
from sessions.service import Sessions, Stores
from sessions.store.accounts import Accounts
from sessions.store.blobs import FolderBlobs
from sessions.store.contacts import SqlContacts, SqlOutbox
from sessions.store.database import Database
from sessions.store.lags import SqlLags
from sessions.store.masterkey import MasterKeys
from sessions.store.members import SqlMembers
from sessions.store.migrations import pending
from sessions.store.once import SqlOnce
from sessions.store.opened import blobs_at, stores
from sessions.store.pulses import SqlPulses
from sessions.store.readings import SqlReadings
from sessions.store.recordings import FolderRecordings
from sessions.store.staff import SqlAccounts, SqlLogins
from sessions.watch.membership import Duties, Membership
from sessions.watch.steady import ClockGuard
from sessions.watch.vigil import Local, Vigil
from web.answers.problems import Problem
from web.answers.statics import Statics
from web.asking.addresses import client_address
from web.asking.challenges import Challenges
from web.asking.identity import Identity
from web.downloads.bundles import Bundles
from web.downloads.papers import Papers, document_seal
from web.media.film import Films
from web.media.tokens import Ending, Tokens, engine_for
from web.media.turn import Relay, relay
from web.media.whereabouts import on_air
from web.metrics import measured
from web.metrics.door import MetricsDoor
from web.metrics.instruments import Metrics
from web.metrics.measured import MeasuredEvents
from web.outside.letters import letter
from web.outside.revocation import Authorities
from web.outside.smtp import mail_server
from web.outside.stamps import post, read_authorities
from web.outside.trust import TrustFolders
from web.outside.witnessing import Watching, client, read_witnesses, remote
from web.process.descriptors import most_watchers
from web.process.notify import Notifier
from web.process.pulse import Pulse
from web.settings import Settings
from web.sntp import TimeSources, read_source

if TYPE_CHECKING:  # obstore comes with the extra `team`
    from sessions.store.s3 import S3Blobs


class NotMigrated(Exception):
    """The database is not of the form this version needs."""

    hint = "run `kaibiao migrate`"

    def __init__(self) -> None:
        super().__init__("the database has an older form than this version needs, or is empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which worker a process is: its name, and that of the dead one it stands in for."""

    name: str | None = None
    instead_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything one process serves with. Call ``start`` with the loop running and ``stop`` before it ends."""

    settings: Settings
    clock: Clock
    database: Database
    stores: Stores
    bus: Bus
    hub: Hub
    sessions: Sessions
    submissions: Submissions
    releasing: Releasing
    officers: Officers
    rescuing: Rescuing
    readying: Readying
    reach: Reach
    bundles: Bundles
    films: Films
    tail: Tail
    papers: Papers
    stamping: Stamping
    timekeeper: Timekeeper
    receipt_logs: ReceiptLogs
    opening_log: OpeningLog
    notary: Notary
    watching: Watching
    asking: httpx.AsyncClient
    receipt_proofs: ReceiptProofs
    receipt_ticks: Timekeeper
    accounts: Accounts
    identity: Identity
    membership: Membership
    trust: TrustFolders
    certifying: Certifying
    contacts: SqlContacts
    outbox: SqlOutbox
    mailing: Mailing | None
    revocation: Authorities
    hall_keys: HallKeys
    statics: Statics
    buckets: Buckets
    shared_buckets: SharedBuckets | None
    lags: Lags
    media: MediaEngine | None
    voice: LinkedVoice | None
    readings: SqlReadings
    media_tokens: Tokens
    relay: Relay | None
    metrics: Metrics
    metrics_door: MetricsDoor | None
    pulse: Pulse
    vigil: Vigil | None
    time_sources: TimeSources

    async def start(self) -> None:
        """Become one of the hall's workers and take up what nobody leads: see ``duties``.

        Raises:
            NotMigrated: nothing was touched.
        """
        if await pending(self.database):
            raise NotMigrated
        self.pulse.start()
        if self.metrics_door is not None:
            await self.metrics_door.open()
        await self.hub.start()
        self.lags.start()
        self.bus.listen(self.sessions.heard)
        await self.time_sources.start()
        await self.membership.start(self.duties())
        if self.vigil is not None:
            self.vigil.start(self.sessions, self.membership.leads)
        self.timekeeper.start()
        self.revocation.start()
        if self.mailing is not None:
            self.mailing.start()
        self.receipt_ticks.start()

    def duties(self) -> Duties:
        """Return what this process does for the sessions it leads."""
        shared = self.database.shared
        return Duties(
            catch_up=(
                *((self.vigil.recover,) if self.vigil is not None else ()),  # was the hall out meanwhile?
                self.submissions.recover,  # answer what came in before whoever led stopped
                self.reach.recover,  # before what fell due while nobody could act is settled
                self.notary.greet,
            ),
            begin=(
                self.sessions.start,
                self.notary.start,
                self.reach.start,
                self.receipt_proofs.start,
                self.tail.start,
            ),
            stop=(self.sessions.stop, self.notary.stop, self.reach.stop, self.receipt_proofs.stop, self.tail.stop),
            look=(self.sessions.look, partial(self.submissions.adopt, self.membership)) if shared else (),
            lose=self.sessions.lose,
            quiet=self.sessions.quiet,
        )

    async def retire(self) -> None:
        """Let other workers lead from now on. Whatever users have begun here is finished here."""
        await self.membership.retire()

    async def stop(self) -> None:
        """Send the readers home, then finish what has begun, so that nothing acknowledged is lost."""
        await self.hub.close()
        await self.lags.close()
        await self.time_sources.close()
        if self.mailing is not None:
            await self.mailing.close()
        if self.vigil is not None:
            await self.vigil.close()
        await self.membership.retire()
        await self.timekeeper.stop()
        await self.receipt_ticks.stop()
        await self.reach.close()
        await self.receipt_proofs.close()
        await self.submissions.close()
        await self.revocation.close()
        await self.notary.close()
        await self.tail.close()
        await self.sessions.close()
        await self.membership.close()
        if self.shared_buckets is not None:
            await self.shared_buckets.close()
        await self.asking.aclose()
        if self.media is not None:
            await self.media.hang_up()
        if self.voice is not None:
            await self.voice.hang_up()
        if self.metrics_door is not None:
            await self.metrics_door.close()
        await self.pulse.stop()
        await self.database.close()

    @property
    def quorum(self) -> int:
        """How many witnesses outside must hold the log of an opening announced here."""
        return self.watching.policy.quorum

    def address(self, connection: HTTPConnection) -> str:
        """Return where a request comes from, as limits count it."""
        peer = connection.client.host if connection.client else None
        return client_address(peer, connection.headers, self.settings.trusted_proxies)

    def pace(self, rate: str, key: Hashable) -> None:
        """Take one token of ``rate`` (hall.limits.RATES) for ``key``; raise ``Problem`` ``too_many``."""
        wait = self.buckets.take((rate, key), RATES[rate], self.clock.now())
        if wait is not None:
            raise Problem("too_many", retry_after=max(1, ceil(wait.total_seconds())))

    async def pace_login(self, rate: str, key: Hashable) -> None:
        """Do as ``pace`` does, over all workers together. Closed while nobody can say how often it was tried."""
        self.pace(rate, key)
        if self.shared_buckets is None:
            return
        try:
            wait = await self.shared_buckets.take((rate, key), RATES[rate], self.clock.now())
        except Unreachable:
            raise Problem("overloaded", retry_after=5) from None
        if wait is not None:
            raise Problem("too_many", retry_after=max(1, ceil(wait.total_seconds())))

    def pace_reader(self, audience: Audience) -> None:
        """Count a new stream of somebody who is logged in; the hub itself counts the public, by address."""
        if audience.bidder is not None:
            self.pace("stream", audience.key)


def build(
    settings: Settings, clock: Clock | None = None, *, limits: Limits = LIMITS, place: Place | None = None
) -> Services:
    """Return the services of a hall, not started. The data folder and the keys in it are made if they are missing.

    ``place``: which of several workers this process is.
    """
    failpoint.arm(os.environ.get(failpoint.VARIABLE), allowed=settings.rehearsal_allowed)
    clock = clock or SystemClock()
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(settings.database)
    metrics = Metrics()
    kept = replace(
        stores(database, settings.data_dir, clock, blobs(settings, clock)), events=MeasuredEvents(database, metrics)
    )
    keys = HallKeys.in_folder(settings.data_dir)
    trust = TrustFolders(settings.anchors, settings.crls, required=settings.revocation == "required")
    revocation = Authorities(settings.revocation_sources, clock=clock, seconds=settings.revocation_seconds)
    certifying = Certifying(trust.current, revocation=revocation, proofs=kept.proofs)
    bus = bus_for(settings)
    hub = Hub(
        kept.events, clock, bus=bus, limits=replace(limits, watchers=min(settings.max_watchers, most_watchers()))
    )
    metrics.watch(hub)
    stamping = Stamping(authorities=read_authorities(settings.timestamps), post=post, clock=clock)
    watching = read_witnesses(settings, authorities=tuple(stamping.anchors()))
    members = SqlMembers(database)
    place = place or Place()
    membership = Membership(members, clock, name=place.name, instead_of=place.instead_of, alone=not database.shared)
    vigil = None
    if isinstance(clock, SystemClock):  # another clock cannot tell that somebody set it
        look = partial(_seen_here, hub, settings.data_dir)
        vigil = Vigil(SqlPulses(database), ClockGuard(clock), now=clock.now, worker=membership.name, look=look)
        metrics.watch_clock(vigil.clock)
        hub.as_of = vigil.as_of
    sessions = Sessions(
        kept,
        clock=clock,
        announcer=hub,
        furnish=partial(furnished, settings, watching, keys),
        leading=membership,
        holds=members if database.shared else None,
        guard=vigil,
    )
    sessions.asks_again(certifying.again)
    asking = client()
    openings = OpeningLog(kept.events, kept.checkpoints, keys)
    outside = Outside(
        witnesses=measured.witnesses(remote(watching.witnesses, asking), metrics),
        authorities=measured.authorities(stamping.anchors(certifying), metrics),
    )
    notary = Notary(sessions, openings, kept.checkpoints, outside, hall=keys, clock=clock, leading=membership)
    sessions.on_commit(notary.look)
    sessions.on_answer(metrics.answered)
    master = MasterKeys(settings.data_dir)
    accounts = Accounts(SqlAccounts(database), master, clock)
    contacts, outbox = SqlContacts(database, master), SqlOutbox(database)
    proofs = ReceiptProofs(
        sessions, events=kept.events, checkpoints=kept.checkpoints, outside=outside, hall=keys, clock=clock
    )
    sessions.on_commit(proofs.look)
    receipt_logs = ReceiptLogs(
        sessions,
        events=kept.events,
        secrets=kept.secrets,
        clock=clock,
        published=proofs.published,
        leading=membership,
    )
    recordings = FolderRecordings(settings.data_dir / "media")
    recorded = RecordingLog(events=kept.events, checkpoints=kept.checkpoints, outside=outside, hall=keys, clock=clock)
    tail = Tail(sessions, recordings, events=kept.events, log=recorded, clock=clock)
    sessions.on_commit(tail.look)
    reach = Reach(sessions, kept, clock=clock, hall=keys)
    sessions.on_commit(reach.look)
    once = SqlOnce(database)
    media = engine_for(settings)
    if media is not None:
        sessions.on_commit(Ending(media).look)
        sessions.on_commit(FollowFloor(media).look)
    return Services(
        settings=settings,
        clock=clock,
        database=database,
        stores=kept,
        bus=bus,
        hub=hub,
        sessions=sessions,
        submissions=Submissions(
            sessions,
            kept,
            clock=clock,
            certifying=certifying,
            hall=keys,
            limits=BidLimits(bid_bytes=settings.max_bid_bytes, bidder_bytes_a_day=settings.max_bidder_bytes_a_day),
        ),
        readying=Readying(sessions, kept, clock=clock, certifying=certifying, hall=keys),
        rescuing=Rescuing(sessions, kept, clock=clock, certifying=certifying),
        reach=reach,
        releasing=Releasing(sessions, kept, clock=clock, certifying=certifying),
        officers=Officers(sessions, kept),
        films=Films(sessions, recordings, settings.data_dir / "media"),
        tail=tail,
        bundles=Bundles(
            sessions=sessions,
            notary=notary,
            tail=tail,
            blobs=kept.blobs,
            folder=settings.data_dir,
            archive=Archive(
                openings=openings,
                checkpoints=kept.checkpoints,
                events=kept.events,
                intake=kept.intake,
                secrets=kept.secrets,
                evidence=kept.evidence,
                proofs=kept.proofs,
                blobs=kept.blobs,
                trust=trust.current,
                hall=keys,
                authorities={each.name: each.anchor for each in stamping.authorities},
                recordings=recordings,
            ),
        ),
        papers=Papers(
            sessions=sessions,
            blobs=kept.blobs,
            clock=clock,
            origin=settings.origin,
            seal=document_seal(settings, trust.current, stamping),
        ),
        stamping=stamping,
        timekeeper=Timekeeper(sessions, clock, late=metrics.late, ready=sessions.ready),
        receipt_logs=receipt_logs,
        opening_log=openings,
        notary=notary,
        watching=watching,
        asking=asking,
        receipt_proofs=proofs,
        receipt_ticks=Timekeeper(receipt_logs, clock),
        accounts=accounts,
        identity=Identity(
            settings=settings,
            clock=clock,
            accounts=accounts,
            logins=SqlLogins(database),
            challenges=Challenges(vault=kept.secrets, once=once),
            once=once,
            sessions=sessions,
            trust=trust.current,
            certifying=certifying,
            contacts=contacts,
        ),
        membership=membership,
        trust=trust,
        certifying=certifying,
        contacts=contacts,
        outbox=outbox,
        mailing=_mailing(settings, kept, contacts, outbox, metrics, clock),
        revocation=revocation,
        hall_keys=keys,
        statics=Statics(),
        vigil=vigil,
        time_sources=TimeSources(
            [read_source(source) for source in settings.clock_sources],
            clock,
            tell=vigil.clock.measured if vigil is not None else lambda _: None,
        ),
        buckets=Buckets(),
        shared_buckets=SharedBuckets(settings.bus_url, f"kaibiao/{settings.hall_name}") if settings.bus_url else None,
        lags=Lags(SqlLags(database)),
        media=media,
        voice=LinkedVoice(Places(settings.data_dir)) if on_air(settings) else None,
        readings=SqlReadings(database),
        media_tokens=Tokens(once, clock),
        relay=relay(settings),
        metrics=metrics,
        metrics_door=_metrics_door(settings, metrics),
        pulse=Pulse(metrics.lagged, Notifier()),
    )


def _metrics_door(settings: Settings, metrics: Metrics) -> MetricsDoor | None:
    address = settings.metrics_address
    return None if address is None else MetricsDoor(metrics.registry, *address)


def _mailing(
    settings: Settings, kept: Stores, contacts: SqlContacts, outbox: SqlOutbox, metrics: Metrics, clock: Clock
) -> Mailing | None:
    server = mail_server(settings)
    if server is None:
        return None

    async def post(said: Notice) -> None:
        await server.send(letter(said, sender=server.sender, origin=settings.origin, now=clock.now()))

    async def openings() -> tuple[Coming, ...]:
        return announced(await kept.events.upcoming())

    return Mailing(contacts, outbox, openings, measured.mail(post, metrics), clock)


def blobs(settings: Settings, clock: Clock) -> FolderBlobs | S3Blobs:
    """Return where sealed bids are kept. Raises BlobsRefused."""
    room, key_file = settings.blobs_room_bytes, settings.blobs_key_file
    return blobs_at(settings.blobs_url, settings.data_dir, clock, room=room, key_file=key_file)


def bus_for(settings: Settings) -> Bus:
    """Return what the workers of this hall ring each other with."""
    if settings.bus_url:
        return RedisBus(settings.bus_url, f"kaibiao/{settings.hall_name}")
    if settings.team:
        return PostgresBus(make_url(settings.database).set(drivername="postgresql").render_as_string(False))
    return LocalBus()


def _seen_here(hub: Hub, folder: Path) -> Local:
    free = shutil.disk_usage(folder).free
    return Local(present=hub.seated(), dismissed=hub.dismissed(), free_bytes=free)


def furnished(settings: Settings, watching: Watching, keys: HallKeys, plan: Plan) -> Plan:
    """Return the plan with what this hall brings: its newest key, witnesses, proofs, its log of receipts."""
    kid = plan.hall_key or keys.newest.public.kid
    recording = True if on_air(settings) else plan.recording
    watched = replace(
        plan,
        proofs=True,
        once=True,
        recording=recording,
        watch=plan.watch or watching.watch(plan.session),
        hall_key=kid,
    )
    pace = timedelta(**{"seconds" if plan.rehearsal else "minutes": settings.intake_log_minutes})
    if settings.clock_sources and watched.clock is None:
        watched = replace(watched, clock=ClockTerms(sources=settings.clock_sources))
    return replace(watched, intake_log=plan.intake_log or IntakeLog(every=pace, leaves=settings.intake_log_leaves))


def services_of(connection: HTTPConnection) -> Services:
    """Return the services of the application that a request came to."""
    services: Services = connection.app.state.services
    return services
