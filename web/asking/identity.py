"""Who is asking, read anew at each request: a login may have been ended, a certificate revoked, a seat given away.

The cookie holds a random token; the database holds its digest and whom it stands for. What somebody may see and do in
one opening follows from the plan of that opening, not from the login.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.requests import HTTPConnection
from starlette.responses import Response

from crypto.certificates import Usage, bidder_id, bidder_name, parse_certificate
from crypto.digest import sha256_hex
from crypto.encoding import b64u, canonical, unb64u
from crypto.errors import CertificateRefused, EncodingRefused
from crypto.paths import MAX_INTERMEDIATES, Trust, validate
from crypto.signing import verify
from hall.views.audience import PUBLIC, Audience
from sessions.clock import Clock
from sessions.ids import BidderId, SessionId
from sessions.notices.due import held
from sessions.outside.certifying import Certifying
from sessions.proofs import State
from sessions.roles import Actor, Role
from sessions.service import Sessions
from sessions.shape import rfc3339
from sessions.store.accounts import Accounts
from sessions.store.contacts import SqlContacts
from sessions.store.once import SqlOnce
from sessions.store.staff import Login, SqlLogins
from sessions.store.vault import SecretDamaged
from web.answers.problems import Problem
from web.asking.challenges import Challenges
from web.settings import Settings

BIDDER: Final = "bidder"
STAFF: Final = "staff"
TICKET_LIFE: Final = timedelta(hours=2)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who is logged in. ``certificates``: a bidder's, the leaf first; ``roles``: what staff may be."""

    kind: str
    id: str
    name: str
    certificates: tuple[x509.Certificate, ...] = ()
    roles: frozenset[Role] = frozenset()

    @property
    def bidder(self) -> BidderId | None:
        """The bidder, if it is one."""
        return BidderId(self.id) if self.kind == BIDDER else None


@dataclass(slots=True, kw_only=True)
class Identity:
    """Logs people in and out, and knows them again."""

    settings: Settings
    clock: Clock
    accounts: Accounts
    logins: SqlLogins
    sessions: Sessions
    trust: Callable[[], Trust]
    certifying: Certifying
    challenges: Challenges
    once: SqlOnce
    contacts: SqlContacts

    # -- coming in ---------------------------------------------------------------------------------------------

    async def challenge(self) -> dict[str, str]:
        """Return what a bidder signs to log in: hall/PROTOCOL.md, kind ``login``."""
        now = self.clock.now()
        return {"nonce": await self.challenges.issue(now), "origin": self.settings.origin, "at": rfc3339(now)}

    async def login_certificate(self, statement: str, certificate: str, chain: list[str]) -> tuple[str, Visitor]:
        """Return a token for the bidder who signed a challenge with a certificate we trust now.

        Raises:
            CryptoRefused: the certificate or the statement, each with its own code.
            Problem: ``wrong_origin``, ``stale_challenge``, ``malformed_request``.
        """
        now = self.clock.now()
        certificates = (_certificate(certificate), *map(_certificate, chain[:MAX_INTERMEDIATES]))
        leaf, *offered = certificates
        validate(leaf, usage=Usage.SIGN, trust=replace(self.trust(), required=False), at=now, offered=offered)
        said = verify(statement, "login", leaf)
        if said.keys() != {"v", "origin", "nonce", "at"} or said["v"] != 1:
            raise Problem("malformed_request", detail="statement")
        if said["origin"] != self.settings.origin:
            raise Problem("wrong_origin", origin=self.settings.origin)
        if said["at"] != rfc3339(await self.challenges.redeem(said["nonce"], now)):
            raise Problem("stale_challenge")
        # Last, because it asks the authority: strangers must not make the hall ask on their behalf.
        proof = await self.certifying.check_signer(certificates, at=now)
        if proof.state is State.UNAVAILABLE:
            _log.warning("a bidder logged in while its authority was silent", extra={"evidence": proof.evidence})
        who = Visitor(kind=BIDDER, id=bidder_id(leaf), name=bidder_name(leaf), certificates=certificates)
        return await self._admit(who), who

    async def login_password(self, account: str, password: str, code: str) -> tuple[str, Visitor]:
        """Return a token for a member of staff; raise ``LoginRefused``, the same whatever was wrong."""
        found = await self.accounts.verify(account, password, code)
        who = Visitor(kind=STAFF, id=found.id, name=found.name, roles=found.roles)
        return await self._admit(who), who

    async def create_ticket(
        self,
        *,
        account: str | None = None,
        bidder: x509.Certificate | None = None,
        life: timedelta = TICKET_LIFE,
    ) -> str:
        """Return the path of a single-use link that logs one person in: for rehearsals, to take a chair at once.

        Give the id of a staff account, or the signing certificate of a bidder. Any worker takes it.

        Raises:
            Problem: ``no_rehearsals``, or ``no_login`` for an account that does not exist.
        """
        if not self.settings.rehearsal_allowed:
            raise Problem("no_rehearsals")
        if bidder is not None:
            who = Visitor(kind=BIDDER, id=bidder_id(bidder), name=bidder_name(bidder), certificates=(bidder,))
        else:
            found = await self.accounts.get(account or "")
            if found is None or found.disabled:
                raise Problem("no_login")
            who = Visitor(kind=STAFF, id=found.id, name=found.name)
        now = self.clock.now()
        token = secrets.token_urlsafe(24)
        await self.once.put(_ticket(token), _packed(who), now + life, now)
        return f"/login/ticket/{token}"

    async def login_ticket(self, ticket: str) -> tuple[str, Visitor]:
        """Use a ticket up and return a token; raise ``Problem`` ``ticket_used``."""
        kept = await self.once.take(_ticket(ticket), self.clock.now())
        if kept is None or not self.settings.rehearsal_allowed:
            raise Problem("ticket_used")
        kind, subject, name, certificates = json.loads(kept)
        held = tuple(map(_certificate, certificates))
        ticketed = Visitor(kind=kind, id=subject, name=name, certificates=held)
        who = await self._visitor(self._login(ticketed))
        if who is None:
            raise Problem("ticket_used")
        return await self._admit(who), who

    # -- being known -------------------------------------------------------------------------------------------

    async def visitor(self, connection: HTTPConnection) -> Visitor | None:
        """Return who is asking, None for the public."""
        if not hasattr(connection.state, "visitor"):
            login = await self.login(connection)
            connection.state.visitor = None if login is None else await self._visitor(login)
        found: Visitor | None = connection.state.visitor
        return found

    async def login(self, connection: HTTPConnection) -> Login | None:
        """Return the login behind the cookie, if it is still good."""
        token = connection.cookies.get(self.cookie, "")
        return await self.logins.find(token, self.clock.now()) if token else None

    async def end(self, connection: HTTPConnection) -> None:
        """Log the one who asks out."""
        await self.logins.end([connection.cookies.get(self.cookie, "")])

    async def end_everywhere(self, who: Visitor) -> None:
        """Log somebody out on every device."""
        await self.logins.end_all(who.kind, who.id)

    @property
    def cookie(self) -> str:
        """The cookie's name; over TLS browsers then bind it to this host and to TLS (RFC 6265bis, __Host-)."""
        return "__Host-kaibiao" if self.settings.secure else "kaibiao"

    def remember(self, response: Response, token: str) -> None:
        """Give the browser its token."""
        response.set_cookie(
            self.cookie,
            token,
            max_age=self.settings.login_hours * 3600,
            path="/",
            secure=self.settings.secure,
            httponly=True,
            samesite="lax",
        )

    def forget(self, response: Response) -> None:
        """Take the token away, and what the browser kept of pages that only this person could see."""
        response.delete_cookie(self.cookie, path="/", secure=self.settings.secure, httponly=True, samesite="lax")
        response.headers["clear-site-data"] = '"cache"'

    async def _admit(self, who: Visitor) -> str:
        token = secrets.token_urlsafe(32)
        await self.logins.add(token, self._login(who))
        if who.certificates:  # a renewed one takes the place of the one that notices are sent of
            try:
                await self.contacts.renew(who.id, held(who.certificates[0], Usage.SIGN))
            except SecretDamaged as error:
                _log.error("a contact does not open", extra={"reason": str(error)})
        return token

    def _login(self, who: Visitor) -> Login:
        now = self.clock.now()
        bundle = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in who.certificates)
        return Login(
            kind=who.kind,
            subject=who.id,
            name=who.name,
            certificate=bundle or None,
            created_at=now,
            expires_at=now + timedelta(hours=self.settings.login_hours),
        )

    async def _visitor(self, login: Login) -> Visitor | None:
        if login.kind == BIDDER:
            certificates = tuple(x509.load_pem_x509_certificates(login.certificate or b""))
            return Visitor(kind=BIDDER, id=login.subject, name=login.name, certificates=certificates)
        found = await self.accounts.get(login.subject)
        if found is None or found.disabled:
            return None
        return Visitor(kind=STAFF, id=found.id, name=found.name, roles=found.roles)


# -- what routes ask -------------------------------------------------------------------------------------------


async def visitor_of(connection: HTTPConnection) -> Visitor | None:
    """Return who is asking, None for the public."""
    identity: Identity = connection.app.state.services.identity
    return await identity.visitor(connection)


async def visitor_required(connection: HTTPConnection) -> Visitor:
    """Return who is asking; raise ``Problem`` ``no_login`` for the public."""
    who = await visitor_of(connection)
    if who is None:
        raise Problem("no_login")
    return who


async def bidder_required(connection: HTTPConnection) -> Actor:
    """Return the bidder who asks; raise ``Problem`` ``no_login`` or ``not_your_role``."""
    who = await visitor_required(connection)
    if who.bidder is None:
        raise Problem("not_your_role")
    return Actor(role=Role.BIDDER, id=who.id, name=who.name)


async def bidder_acting(connection: HTTPConnection) -> Actor:
    """Return the bidder who acts, its certificate validated again at this moment."""
    actor = await bidder_required(connection)
    who = await visitor_required(connection)
    identity: Identity = connection.app.state.services.identity
    leaf, *offered = who.certificates
    validate(leaf, usage=Usage.SIGN, trust=identity.trust(), at=identity.clock.now(), offered=offered)
    return actor


async def seat_of(connection: HTTPConnection, session: SessionId) -> Actor | None:
    """Return the part that whoever asks has in this opening; None for spectators. Raises UnknownSession.

    Staff have the part that the announcement gives their account, as long as the account may still play it; a bidder
    is a bidder, whether it bid here or not.
    """
    identity: Identity = connection.app.state.services.identity
    opening = await identity.sessions.state(session)
    who = await identity.visitor(connection)
    if who is None:
        return None
    if who.bidder is not None:
        return Actor(role=Role.BIDDER, id=who.id, name=who.name)
    seat = next((seat for seat in opening.plan.seats if seat.account == who.id and seat.role in who.roles), None)
    return None if seat is None else Actor(role=seat.role, id=seat.account, name=seat.name)


async def audience_for(connection: HTTPConnection, session: SessionId) -> Audience:
    """Return what kind of reader this is in this opening. Raises UnknownSession."""
    actor = await seat_of(connection, session)
    if actor is None:
        return PUBLIC
    return Audience(actor.role, BidderId(actor.id) if actor.role is Role.BIDDER else None)


async def actor_for(connection: HTTPConnection, session: SessionId) -> Actor:
    """Return who acts in this opening.

    Raises:
        UnknownSession: there is no such opening.
        Problem: ``no_login``, or ``not_your_role`` for staff whom the announcement does not name.
    """
    actor = await seat_of(connection, session)
    if actor is None:
        await visitor_required(connection)
        raise Problem("not_your_role")
    return actor


def described(who: Visitor) -> Mapping[str, Any]:
    """Return what ``/api/v1/me`` says about whoever asks."""
    if who.bidder is not None:
        return {"role": BIDDER, "bidder": who.id, "name": who.name}
    return {"role": STAFF, "account": who.id, "name": who.name, "roles": sorted(who.roles)}


def _ticket(token: str) -> str:
    """The name a ticket is kept under; the database does not know the ticket itself."""
    return f"ticket/{sha256_hex(token.encode())}"


def _packed(who: Visitor) -> bytes:
    certificates = [b64u(each.public_bytes(Encoding.DER)) for each in who.certificates]
    return canonical([who.kind, who.id, who.name, certificates])


def _certificate(text: str) -> x509.Certificate:
    try:
        return parse_certificate(unb64u(text))
    except EncodingRefused as error:
        raise CertificateRefused("malformed_certificate") from error
