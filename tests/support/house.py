"""A whole hall for a test: the real application over a real database, with a clock that the test turns."""

from __future__ import annotations

import base64
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from fastapi import FastAPI

from crypto.encoding import b64u
from crypto.signing import sign
from hall.limits import LIMITS, Limits
from sessions.ids import SessionId
from sessions.roles import Role
from sessions.store.migrations import migrate
from tests.support.bidders import DEADLINE, Bidder, Sealed, a_bidder, a_sealed_bid, the_authority
from tests.support.hallkey import give_key
from tests.support.team import database_url
from web.app import create_app
from web.bootstrap import build
from web.services import Services
from web.settings import Settings

T0 = datetime.fromisoformat(DEADLINE)
BEFORE = T0 - timedelta(minutes=30)
SESSION = SessionId("zb-1")
PASSWORD = "correct horse battery"
STAFF = {"host": Role.HOST, "deputy": Role.DEPUTY, "supervisor": Role.SUPERVISOR}
TENDER: Mapping[str, Any] = {
    "session": "zb-1",
    "id": "ZB-2026-001",
    "lot": "1",
    "title": {"zh": "排水改造", "en": "Drainage works"},
    "tenderer": {"zh": "市政中心", "en": "Works centre"},
    "place": {"zh": "网络开标大厅", "en": "This hall"},
    "deadline": DEADLINE,
    "currency": "CNY",
    "pack": "cn-works",
    "quote": {"fields": [{"id": "price", "kind": "money", "label": {"zh": "投标报价", "en": "Price"}}]},
    "seats": [{"account": name, "role": role.value, "name": f"{name} 甲"} for name, role in STAFF.items()],
}
NAMES = ("华东建设有限公司", "江南路桥有限公司", "安澜水务有限公司", "云台市政有限公司")


class TurnedClock:
    """A clock that stands still until the test turns it."""

    def __init__(self, now: datetime = BEFORE) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def turn(self, to: datetime | timedelta) -> None:
        """Go to a moment, or on by a span."""
        self._now = to if isinstance(to, datetime) else self._now + to


@dataclass(slots=True)
class House:
    """The hall and what a test does in it. Its programs need no closing: they hold no connection."""

    app: FastAPI
    services: Services
    clock: TurnedClock
    accounts: dict[str, str] = field(default_factory=dict)  # account -> otpauth address
    session: SessionId = SESSION

    @property
    def path(self) -> str:
        return f"/api/v1/sessions/{self.session}"

    def client(self, **headers: str) -> httpx.AsyncClient:
        """Return a program that nobody is logged in with."""
        given = {"x-kaibiao": "1"} | {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url=self.services.settings.origin, headers=given
        )

    async def staff(self, account: str) -> httpx.AsyncClient:
        """Return a program with this member of staff logged in; the account is made when it is first asked for."""
        if account not in self.accounts:
            await self.account(account)
        client = self.client()
        ticket = await self.services.identity.create_ticket(account=account)
        assert (await client.get(ticket)).status_code == 303
        return client

    async def account(self, account: str, *roles: Role) -> None:
        """Make an account; without roles it may be what it is called."""
        uri = await self.services.accounts.create(account, f"{account} 甲", PASSWORD, roles or [STAFF[account]])
        self.accounts[account] = uri

    def one_time_code(self, account: str) -> str:
        """Return what this account's authenticator shows now."""
        return one_time_code(self.accounts[account], self.clock.now())

    async def bidder(self, bidder: Bidder | None = None) -> httpx.AsyncClient:
        """Return a program with this bidder logged in."""
        client = self.client()
        certificate = (bidder or a_bidder()).sign.certificate
        ticket = await self.services.identity.create_ticket(bidder=certificate)
        assert (await client.get(ticket)).status_code == 303
        return client

    async def announce(self, **changes: Any) -> None:
        """Announce the opening, as the host does it."""
        host = await self.staff("host")
        answer = await host.post("/api/v1/sessions", json={**TENDER, **changes})
        assert answer.status_code == 201, answer.text
        self.session = SessionId(answer.json()["session"])

    async def submit(self, client: httpx.AsyncClient, sealed: Sealed) -> httpx.Response:
        """Send a sealed bid in one piece."""
        created = await client.post(f"{self.path}/uploads", headers=tus(upload_length=len(sealed.data)))
        if created.status_code != 201:
            return created
        return await client.patch(created.headers["location"], headers=patch(0), content=sealed.data)

    async def receive_bids(self, count: int = 3) -> list[tuple[Bidder, Sealed]]:
        """Let this many bidders send a bid each."""
        sent = []
        for name in NAMES[:count]:
            bidder = a_bidder(name)
            sealed = a_bid(bidder)
            answer = await self.submit(await self.bidder(bidder), sealed)
            assert answer.status_code == 200, answer.text
            sent.append((bidder, sealed))
        return sent

    async def act(self, client: httpx.AsyncClient, name: str, **fields: Any) -> httpx.Response:
        """Send a command under a key of its own."""
        return await client.post(f"{self.path}/commands", json={"command": name, **fields}, headers=a_key())

    async def turn(self, to: datetime | timedelta) -> None:
        """Turn the clock and let happen what falls due."""
        self.clock.turn(to)
        await self.services.sessions.settle(self.session)

    async def view(self, client: httpx.AsyncClient) -> dict[str, Any]:
        answer = await client.get(self.path)
        assert answer.status_code == 200, answer.text
        view: dict[str, Any] = answer.json()["view"]
        return view


@asynccontextmanager
async def a_house(
    folder: Path, *, limits: Limits = LIMITS, clock: TurnedClock | None = None, **settings: Any
) -> AsyncIterator[House]:
    """Open a hall in ``folder`` that trusts the tests' authority and holds rehearsals."""
    home = folder / "hall"
    given = {"data_dir": home, "database_url": database_url(home), "rehearsal_allowed": True}
    chosen = Settings(**given | settings)
    trust(chosen)
    give_key(chosen.data_dir)
    clock = clock or TurnedClock()
    services = build(chosen, clock, limits=limits)
    await migrate(services.database)
    app = create_app(services)
    async with app.router.lifespan_context(app):
        yield House(app, services, clock)


def trust(settings: Settings) -> None:
    """Put the tests' authority among the trust anchors."""
    settings.anchors.mkdir(parents=True, exist_ok=True)
    root = the_authority().certificate.public_bytes(Encoding.PEM)
    (settings.anchors / "root.pem").write_bytes(root)


async def log_in(client: httpx.AsyncClient, bidder: Bidder, **changes: Any) -> httpx.Response:
    """Answer a login challenge; ``changes`` go to what is signed."""
    challenge = (await client.post("/api/v1/login/challenge")).json()
    statement = sign({"v": 1, **challenge, **changes}, "login", bidder.sign)
    return await client.post("/api/v1/login/certificate", json=credentials(bidder, statement))


def credentials(bidder: Bidder, statement: str) -> dict[str, Any]:
    leaf = bidder.sign.certificate.public_bytes(Encoding.DER)
    return {"statement": statement, "certificate": b64u(leaf), "chain": []}


def one_time_code(otpauth: str, now: datetime) -> str:
    """Return what an authenticator set up with this address shows at ``now``."""
    secret = parse_qs(urlsplit(otpauth).query)["secret"][0]
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    return TOTP(key, 6, SHA1(), 30).generate(int(now.timestamp())).decode()


def a_bid(bidder: Bidder, price: str = "1280000.00") -> Sealed:
    """Seal a quote for the tender of this house."""
    return a_sealed_bid(b"technical part" * 100, bidder=bidder, quote={"price": price})


def tus(**headers: object) -> dict[str, str]:
    return {"tus-resumable": "1.0.0"} | {name.replace("_", "-"): str(value) for name, value in headers.items()}


def patch(offset: int) -> dict[str, str]:
    return tus(upload_offset=offset, content_type="application/offset+octet-stream")


def a_key() -> dict[str, str]:
    return {"idempotency-key": str(uuid.uuid4())}
