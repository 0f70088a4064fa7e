"""Everything one process of a hall serves with: begun in order, and ended so that nothing acknowledged is lost."""

from __future__ import annotations

import logging
from collections.abc import Hashable
from dataclasses import dataclass
from functools import partial
from math import ceil

import httpx
from starlette.requests import HTTPConnection

from hall.buses.buckets import SharedBuckets, Unreachable
from hall.buses.bus import Bus
from hall.hub import Hub
from hall.limits import RATES, Buckets
from hall.media.port.engine import MediaEngine
from hall.media.voice.sample import LinkedVoice
from hall.rooms.lags import Lags
from hall.timekeeper import Timekeeper
from hall.views.audience import Audience
from sessions.acts.notary import Notary
from sessions.acts.officers import Officers
from sessions.acts.reach import Reach
from sessions.acts.readying import Readying
from sessions.acts.releasing import Releasing
from sessions.acts.rescuing import Rescuing
from sessions.acts.submission import Submissions
from sessions.clock import Clock
from sessions.keys.hallkey import HallKeys
from sessions.logging_receipts import ReceiptLogs
from sessions.notices.mailing import Mailing
from sessions.outside.certifying import Certifying
from sessions.outside.opening_log import OpeningLog
from sessions.outside.receipt_proofs import ReceiptProofs
from sessions.outside.stamping import Stamping
from sessions.recording.tail import Tail
from sessions.service import Sessions, Stores
from sessions.store.accounts import Accounts
from sessions.store.contacts import SqlContacts, SqlOutbox
from sessions.store.database import Database
from sessions.store.migrations import pending
from sessions.store.readings import SqlReadings
from sessions.watch.membership import Duties, Membership
from sessions.watch.vigil import Vigil
from web.answers.problems import Problem
from web.answers.statics import Statics
from web.asking.addresses import client_address
from web.asking.identity import Identity
from web.downloads.bundles import Bundles
from web.downloads.papers import Papers
from web.media.film import Films
from web.media.tokens import Tokens
from web.media.turn import Relay
from web.metrics.door import MetricsDoor
from web.metrics.instruments import Metrics
from web.outside.revocation import Authorities
from web.outside.trust import TrustFolders
from web.outside.witnessing import Watching
from web.process.pulse import Pulse
from web.settings import Settings
from web.sntp import TimeSources

_log = logging.getLogger(__name__)


class NotMigrated(Exception):
    """The database is not of the form this version needs."""

    hint = "run `kaibiao migrate`"

    def __init__(self) -> None:
        super().__init__("the database has an older form than this version needs, or is empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything one process serves with. Call ``start`` with the loop running and ``stop`` before it ends."""

    settings: Settings
    clock: Clock
    database: Database
    stores: Stores
    hall_keys: HallKeys
    metrics: Metrics
    metrics_door: MetricsDoor | None
    pulse: Pulse
    time_sources: TimeSources

    # certificates
    trust: TrustFolders
    revocation: Authorities
    certifying: Certifying

    # readers
    bus: Bus
    hub: Hub
    lags: Lags
    statics: Statics
    buckets: Buckets
    shared_buckets: SharedBuckets | None

    # the ceremony
    membership: Membership
    vigil: Vigil | None
    sessions: Sessions
    timekeeper: Timekeeper
    submissions: Submissions
    readying: Readying
    releasing: Releasing
    rescuing: Rescuing
    officers: Officers
    reach: Reach

    # its logs, and who holds them outside
    watching: Watching
    stamping: Stamping
    asking: httpx.AsyncClient
    opening_log: OpeningLog
    notary: Notary
    receipt_logs: ReceiptLogs
    receipt_ticks: Timekeeper
    receipt_proofs: ReceiptProofs

    # people
    accounts: Accounts
    identity: Identity
    contacts: SqlContacts
    outbox: SqlOutbox
    mailing: Mailing | None

    # picture and sound
    media: MediaEngine | None
    media_tokens: Tokens
    relay: Relay | None
    voice: LinkedVoice | None
    readings: SqlReadings
    films: Films
    tail: Tail

    # what is taken away
    bundles: Bundles
    papers: Papers

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
        """Send the readers home, then finish what has begun, so that nothing acknowledged is lost.

        What fails at it is logged and keeps nothing after it from ending.
        """
        ends = (
            self.hub.close,
            self.lags.close,
            self.time_sources.close,
            *((self.mailing.close,) if self.mailing is not None else ()),
            *((self.vigil.close,) if self.vigil is not None else ()),
            self.membership.retire,
            self.timekeeper.stop,
            self.receipt_ticks.stop,
            self.reach.close,
            self.receipt_proofs.close,
            self.submissions.close,
            self.revocation.close,
            self.notary.close,
            self.tail.close,
            self.sessions.close,
            self.membership.close,
            *((self.shared_buckets.close,) if self.shared_buckets is not None else ()),
            self.asking.aclose,
            *((self.media.hang_up,) if self.media is not None else ()),
            *((self.voice.hang_up,) if self.voice is not None else ()),
            *((self.metrics_door.close,) if self.metrics_door is not None else ()),
            self.pulse.stop,
            self.database.close,
        )
        for end in ends:
            try:
                await end()
            except Exception:
                _log.exception("a part of this hall did not end in good order")

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


def services_of(connection: HTTPConnection) -> Services:
    """Return the services of the application that a request came to."""
    services: Services = connection.app.state.services
    return services
