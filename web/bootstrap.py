"""Where real things are chosen: one function builds everything a hall runs on, from its settings."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from sqlalchemy.engine import make_url

from hall.buses.buckets import SharedBuckets
from hall.buses.bus import Bus, LocalBus
from hall.buses.postgres import PostgresBus
from hall.buses.redis import RedisBus
from hall.hub import Hub
from hall.limits import LIMITS, Buckets, Limits
from hall.media.port.floor import FollowFloor
from hall.media.port.places import Places
from hall.media.voice.sample import LinkedVoice
from hall.rooms.lags import Lags
from hall.timekeeper import Timekeeper
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
from sessions.store.once import SqlOnce
from sessions.store.opened import blobs_at, stores
from sessions.store.pulses import SqlPulses
from sessions.store.readings import SqlReadings
from sessions.store.recordings import FolderRecordings
from sessions.store.staff import SqlAccounts, SqlLogins
from sessions.watch.membership import Membership
from sessions.watch.steady import ClockGuard
from sessions.watch.vigil import Local, Vigil
from web.answers.statics import Statics
from web.asking.challenges import Challenges
from web.asking.identity import Identity
from web.downloads.bundles import Bundles
from web.downloads.papers import Papers, document_seal
from web.media.film import Films
from web.media.tokens import Ending, Tokens, engine_for
from web.media.turn import relay
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
from web.services import Services
from web.settings import Settings
from web.sntp import TimeSources, read_source

if TYPE_CHECKING:  # obstore comes with the extra `team`
    from sessions.store.s3 import S3Blobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which worker a process is: its name, and that of the dead one it stands in for."""

    name: str | None = None
    instead_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What everything else stands on."""

    settings: Settings
    clock: Clock
    database: Database
    metrics: Metrics
    kept: Stores
    keys: HallKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class _Certificates:
    """Whose certificates hold, and who is asked whether they still do."""

    trust: TrustFolders
    revocation: Authorities
    certifying: Certifying


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beyond:
    """Who outside the hall holds its logs: witnesses and timestamp authorities."""

    watching: Watching
    stamping: Stamping
    asking: httpx.AsyncClient
    outside: Outside


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leading:
    """Which worker leads what, and whether its clock and its hall were there all the time."""

    members: SqlMembers
    membership: Membership
    vigil: Vigil | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Logs:
    """The logs of an opening, and who keeps them witnessed."""

    opening: OpeningLog
    notary: Notary
    receipts: ReceiptLogs
    proofs: ReceiptProofs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recording:
    """What is kept of picture and sound."""

    films: Films
    files: FolderRecordings
    tail: Tail


@dataclass(frozen=True, slots=True, kw_only=True)
class _People:
    """Who may act, and where they are written to."""

    accounts: Accounts
    identity: Identity
    contacts: SqlContacts
    outbox: SqlOutbox
    tokens: Tokens


def build(
    settings: Settings, clock: Clock | None = None, *, limits: Limits = LIMITS, place: Place | None = None
) -> Services:
    """Return the services of a hall, not started. The data folder and the keys in it are made if they are missing.

    ``place``: which of several workers this process is.
    """
    failpoint.arm(os.environ.get(failpoint.VARIABLE), allowed=settings.rehearsal_allowed)
    ground = _ground(settings, clock or SystemClock())
    clock, kept, keys, metrics = ground.clock, ground.kept, ground.keys, ground.metrics
    certificates = _certificates(ground)
    certifying = certificates.certifying
    bus = bus_for(settings)
    hub = _hub(ground, bus, limits)
    beyond = _beyond(ground, certifying)
    leading = _leading(ground, hub, place or Place())
    sessions = _sessions(ground, hub, beyond.watching, leading)
    sessions.asks_again(certifying.again)
    logs = _logs(ground, sessions, beyond.outside, leading.membership)
    recording = _recording(ground, sessions, beyond.outside)
    reach = Reach(sessions, kept, clock=clock, hall=keys)
    media = engine_for(settings)
    for each in (logs.notary.look, logs.proofs.look, recording.tail.look, reach.look):
        sessions.on_commit(each)
    if media is not None:
        sessions.on_commit(Ending(media).look)
        sessions.on_commit(FollowFloor(media).look)
    sessions.on_answer(metrics.answered)
    people = _people(ground, sessions, certificates)
    return Services(
        settings=settings,
        clock=clock,
        database=ground.database,
        stores=kept,
        hall_keys=keys,
        metrics=metrics,
        metrics_door=_metrics_door(settings, metrics),
        pulse=Pulse(metrics.lagged, Notifier()),
        time_sources=_time_sources(settings, clock, leading.vigil),
        # certificates
        trust=certificates.trust,
        revocation=certificates.revocation,
        certifying=certifying,
        # readers
        bus=bus,
        hub=hub,
        lags=Lags(SqlLags(ground.database)),
        statics=Statics(),
        buckets=Buckets(),
        shared_buckets=SharedBuckets(settings.bus_url, f"kaibiao/{settings.hall_name}") if settings.bus_url else None,
        # the ceremony
        membership=leading.membership,
        vigil=leading.vigil,
        sessions=sessions,
        timekeeper=Timekeeper(sessions, clock, late=metrics.late, ready=sessions.ready),
        submissions=_submissions(ground, sessions, certifying),
        readying=Readying(sessions, kept, clock=clock, certifying=certifying, hall=keys),
        releasing=Releasing(sessions, kept, clock=clock, certifying=certifying),
        rescuing=Rescuing(sessions, kept, clock=clock, certifying=certifying),
        officers=Officers(sessions, kept),
        reach=reach,
        # its logs, and who holds them outside
        watching=beyond.watching,
        stamping=beyond.stamping,
        asking=beyond.asking,
        opening_log=logs.opening,
        notary=logs.notary,
        receipt_logs=logs.receipts,
        receipt_ticks=Timekeeper(logs.receipts, clock),
        receipt_proofs=logs.proofs,
        # people
        accounts=people.accounts,
        identity=people.identity,
        contacts=people.contacts,
        outbox=people.outbox,
        mailing=_mailing(ground, people),
        # picture and sound
        media=media,
        media_tokens=people.tokens,
        relay=relay(settings),
        voice=LinkedVoice(Places(settings.data_dir)) if on_air(settings) else None,
        readings=SqlReadings(ground.database),
        films=recording.films,
        tail=recording.tail,
        # what is taken away
        bundles=_bundles(ground, sessions, certificates.trust, beyond.stamping, logs, recording),
        papers=_papers(ground, sessions, certificates.trust, beyond.stamping),
    )


def _ground(settings: Settings, clock: Clock) -> _Ground:
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    database, metrics = Database(settings.database), Metrics()
    kept = stores(database, settings.data_dir, clock, blobs(settings, clock))
    return _Ground(
        settings=settings,
        clock=clock,
        database=database,
        metrics=metrics,
        kept=replace(kept, events=MeasuredEvents(database, metrics)),
        keys=HallKeys.in_folder(settings.data_dir),
    )


def _certificates(ground: _Ground) -> _Certificates:
    settings = ground.settings
    trust = TrustFolders(settings.anchors, settings.crls, required=settings.revocation == "required")
    revocation = Authorities(settings.revocation_sources, clock=ground.clock, seconds=settings.revocation_seconds)
    certifying = Certifying(trust.current, revocation=revocation, proofs=ground.kept.proofs)
    return _Certificates(trust=trust, revocation=revocation, certifying=certifying)


def _hub(ground: _Ground, bus: Bus, limits: Limits) -> Hub:
    watchers = min(ground.settings.max_watchers, most_watchers())
    hub = Hub(ground.kept.events, ground.clock, bus=bus, limits=replace(limits, watchers=watchers))
    ground.metrics.watch(hub)
    return hub


def _beyond(ground: _Ground, certifying: Certifying) -> _Beyond:
    stamping = Stamping(authorities=read_authorities(ground.settings.timestamps), post=post, clock=ground.clock)
    watching = read_witnesses(ground.settings, authorities=tuple(stamping.anchors()))
    asking = client()
    outside = Outside(
        witnesses=measured.witnesses(remote(watching.witnesses, asking), ground.metrics),
        authorities=measured.authorities(stamping.anchors(certifying), ground.metrics),
    )
    return _Beyond(watching=watching, stamping=stamping, asking=asking, outside=outside)


def _leading(ground: _Ground, hub: Hub, place: Place) -> _Leading:
    database, clock = ground.database, ground.clock
    members = SqlMembers(database)
    membership = Membership(members, clock, name=place.name, instead_of=place.instead_of, alone=not database.shared)
    vigil = None
    if isinstance(clock, SystemClock):  # another clock cannot tell that somebody set it
        look = partial(_seen_here, hub, ground.settings.data_dir)
        vigil = Vigil(SqlPulses(database), ClockGuard(clock), now=clock.now, worker=membership.name, look=look)
        ground.metrics.watch_clock(vigil.clock)
        hub.as_of = vigil.as_of
    return _Leading(members=members, membership=membership, vigil=vigil)


def _sessions(ground: _Ground, hub: Hub, watching: Watching, leading: _Leading) -> Sessions:
    return Sessions(
        ground.kept,
        clock=ground.clock,
        announcer=hub,
        furnish=partial(furnished, ground.settings, watching, ground.keys),
        leading=leading.membership,
        holds=leading.members if ground.database.shared else None,
        guard=leading.vigil,
    )


def _logs(ground: _Ground, sessions: Sessions, outside: Outside, leading: Membership) -> _Logs:
    clock, kept, keys = ground.clock, ground.kept, ground.keys
    opening = OpeningLog(kept.events, kept.checkpoints, keys)
    proofs = ReceiptProofs(
        sessions, events=kept.events, checkpoints=kept.checkpoints, outside=outside, hall=keys, clock=clock
    )
    return _Logs(
        opening=opening,
        notary=Notary(sessions, opening, kept.checkpoints, outside, hall=keys, clock=clock, leading=leading),
        receipts=ReceiptLogs(
            sessions,
            events=kept.events,
            secrets=kept.secrets,
            clock=clock,
            published=proofs.published,
            leading=leading,
        ),
        proofs=proofs,
    )


def _recording(ground: _Ground, sessions: Sessions, outside: Outside) -> _Recording:
    clock, kept, folder = ground.clock, ground.kept, ground.settings.data_dir / "media"
    files = FolderRecordings(folder)
    log = RecordingLog(
        events=kept.events, checkpoints=kept.checkpoints, outside=outside, hall=ground.keys, clock=clock
    )
    return _Recording(
        films=Films(sessions, files, folder),
        files=files,
        tail=Tail(sessions, files, events=kept.events, log=log, clock=clock),
    )


def _submissions(ground: _Ground, sessions: Sessions, certifying: Certifying) -> Submissions:
    settings = ground.settings
    most = BidLimits(bid_bytes=settings.max_bid_bytes, bidder_bytes_a_day=settings.max_bidder_bytes_a_day)
    return Submissions(
        sessions, ground.kept, clock=ground.clock, certifying=certifying, hall=ground.keys, limits=most
    )


def _people(ground: _Ground, sessions: Sessions, certificates: _Certificates) -> _People:
    database, clock, master = ground.database, ground.clock, MasterKeys(ground.settings.data_dir)
    accounts = Accounts(SqlAccounts(database), master, clock)
    contacts, once = SqlContacts(database, master), SqlOnce(database)
    return _People(
        accounts=accounts,
        identity=Identity(
            settings=ground.settings,
            clock=clock,
            accounts=accounts,
            logins=SqlLogins(database),
            challenges=Challenges(vault=ground.kept.secrets, once=once),
            once=once,
            sessions=sessions,
            trust=certificates.trust.current,
            certifying=certificates.certifying,
            contacts=contacts,
        ),
        contacts=contacts,
        outbox=SqlOutbox(database),
        tokens=Tokens(once, clock),
    )


def _mailing(ground: _Ground, people: _People) -> Mailing | None:
    settings, clock, server = ground.settings, ground.clock, mail_server(ground.settings)
    if server is None:
        return None

    async def post(said: Notice) -> None:
        await server.send(letter(said, sender=server.sender, origin=settings.origin, now=clock.now()))

    async def openings() -> tuple[Coming, ...]:
        return announced(await ground.kept.events.upcoming())

    return Mailing(people.contacts, people.outbox, openings, measured.mail(post, ground.metrics), clock)


def _bundles(
    ground: _Ground,
    sessions: Sessions,
    trust: TrustFolders,
    stamping: Stamping,
    logs: _Logs,
    recording: _Recording,
) -> Bundles:
    kept = ground.kept
    archive = Archive(
        openings=logs.opening,
        checkpoints=kept.checkpoints,
        events=kept.events,
        intake=kept.intake,
        secrets=kept.secrets,
        evidence=kept.evidence,
        proofs=kept.proofs,
        blobs=kept.blobs,
        trust=trust.current,
        hall=ground.keys,
        authorities={each.name: each.anchor for each in stamping.authorities},
        recordings=recording.files,
    )
    return Bundles(
        sessions=sessions,
        notary=logs.notary,
        tail=recording.tail,
        blobs=kept.blobs,
        folder=ground.settings.data_dir,
        archive=archive,
    )


def _papers(ground: _Ground, sessions: Sessions, trust: TrustFolders, stamping: Stamping) -> Papers:
    return Papers(
        sessions=sessions,
        blobs=ground.kept.blobs,
        clock=ground.clock,
        origin=ground.settings.origin,
        seal=document_seal(ground.settings, trust.current, stamping),
    )


def _time_sources(settings: Settings, clock: Clock, vigil: Vigil | None) -> TimeSources:
    tell = vigil.clock.measured if vigil is not None else lambda _: None
    return TimeSources([read_source(source) for source in settings.clock_sources], clock, tell=tell)


def _metrics_door(settings: Settings, metrics: Metrics) -> MetricsDoor | None:
    address = settings.metrics_address
    return None if address is None else MetricsDoor(metrics.registry, *address)


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
