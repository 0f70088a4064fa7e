"""A participant's client of a hall, in Python: what `kaibiao submit`, the demo's people and the bench share.

It speaks only hall/PROTOCOL.md, over real HTTP and WebSocket, and keeps a cookie like a browser.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Self
from urllib.parse import urlsplit

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Origin

from crypto.certificates import Credential, parse_certificate
from crypto.container import Container
from crypto.digest import leaf_hash, root, sha256_hex
from crypto.encoding import b64u, unb64u
from crypto.errors import ProofRefused, SealedBidRefused
from crypto.header import Header
from crypto.header import parse as parse_header
from crypto.locks import Lock, make_split_release
from crypto.opening import check_secret, unlock
from crypto.release import load_session_public, make_release
from crypto.rescue import KEY, PLAIN, check_sheet, read_key, read_rescue, seal_rescue
from crypto.signing import sign
from hall.views import patch
from sessions.clock import SystemClock
from sessions.shape import moment
from sessions.watch.heartbeat import BEAT, beat_payload
from web.participant.counted import look
from web.participant.officer import open_all

CHUNK = 4 * 1024 * 1024  # bytes of one PATCH; the segment size of a declaration, so a resume wastes at most one
TRIES = 5


class HallRefused(Exception):
    """The hall said no. ``code`` names the rule; ``body`` is the whole problem document (RFC 9457)."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(body.get("code", status))
        self.body = body
        title, hint = body.get("title"), body.get("next_step")
        self.sentence = title.get("en", self.code) if isinstance(title, Mapping) else str(title or self.code)
        self.hint = hint.get("en", "") if isinstance(hint, Mapping) else ""
        super().__init__(f"{self.code}: {self.sentence}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The hall's answer to a complete sealed bid: the signed receipt and its short code."""

    receipt: str
    tracker: str


class Hall:
    """One participant at one hall. Use as ``async with Hall(url) as hall``."""

    def __init__(self, url: str, *, source: str | None = None) -> None:
        """``source`` is the local address to come from, where a machine has several."""
        self.url = url.rstrip("/")
        self._source = source
        self.receipts: dict[str, str] = {}  # by session, the last that this program was given or told of
        self.acks: list[str] = []  # the hall's acknowledgements of signs of life: a bidder's own evidence
        self._http = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(local_address=source, limits=httpx.Limits(max_connections=4)),
            base_url=self.url,
            headers={"Origin": _origin(self.url)},
            timeout=httpx.Timeout(30.0),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    @property
    def cookie(self) -> str:
        """The login as a ``Cookie`` header has it."""
        return "; ".join(f"{name}={value}" for name, value in self._http.cookies.items())

    async def login_certificate(self, signer: Credential) -> None:
        """Prove possession of the signing key by a signed challenge."""
        challenge = await self._json("POST", "/api/v1/login/challenge", {})
        payload = {"v": 1, "origin": challenge["origin"], "nonce": challenge["nonce"], "at": challenge["at"]}
        await self._json(
            "POST",
            "/api/v1/login/certificate",
            {
                "statement": sign(payload, "login", signer),
                "certificate": b64u(signer.certificate.public_bytes(Encoding.DER)),
                "chain": [b64u(issuer.public_bytes(Encoding.DER)) for issuer in signer.chain],
            },
        )

    async def login_password(self, account: str, password: str, code: str) -> None:
        """Enter as staff, with password and one-time code."""
        await self._json("POST", "/login", {"account": account, "password": password, "code": code})

    async def login_ticket(self, ticket: str) -> None:
        """Enter by a single-use ticket (rehearsals only)."""
        answer = await self._http.get(ticket, follow_redirects=False)
        if answer.status_code >= 400:
            raise _refusal(answer)

    async def sessions(self) -> list[dict[str, Any]]:
        answer: dict[str, Any] = await self._json("GET", "/api/v1/sessions")
        sessions: list[dict[str, Any]] = answer["sessions"]
        return sessions

    async def announce(self, tender: Mapping[str, Any]) -> str:
        """Announce an opening, as a host, by its tender file; return its session."""
        session: str = (await self._json("POST", "/api/v1/sessions", tender))["session"]
        return session

    async def view(self, session: str) -> dict[str, Any]:
        answer: dict[str, Any] = await self._json("GET", f"/api/v1/sessions/{session}")
        view: dict[str, Any] = answer["view"]
        return view

    async def command(self, session: str, name: str, **fields: object) -> list[int]:
        """Send one command and return the numbers of the events it caused. Safe to retry: the key stays."""
        key = str(uuid.uuid4())
        body = {"command": name, **fields}
        path = f"/api/v1/sessions/{session}/commands"
        answer = await self._json("POST", path, body, {"Idempotency-Key": key}, repeatable=True)
        numbers: list[int] = answer["events"]
        return numbers

    async def submit(
        self, session: str, bid: BinaryIO, length: int, progress: Callable[[int], None] = lambda done: None
    ) -> Accepted:
        """Upload a sealed bid, resuming where the hall last had every byte; return its receipt.

        A broken request may still have brought bytes, so ``wrong_offset`` is no refusal: the hall is asked again. Nor
        is 503, by which a hall that is busy, or whose store is away, asks to come again.
        """
        created = await self._http.post(
            f"/api/v1/sessions/{session}/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": str(length)}
        )
        if created.status_code != 201:
            raise _refusal(created)
        place = created.headers["Location"]
        offset, failures = 0, 0
        while True:
            bid.seek(offset)
            try:
                answer = await self._http.patch(
                    place,
                    content=bid.read(CHUNK),
                    headers={
                        "Tus-Resumable": "1.0.0",
                        "Upload-Offset": str(offset),
                        "Content-Type": "application/offset+octet-stream",
                    },
                    timeout=120.0,
                )
                if answer.status_code >= 400:
                    raise _refusal(answer)
            except (httpx.TransportError, HallRefused) as error:
                failures += 1
                final = isinstance(error, HallRefused) and error.code != "wrong_offset" and error.status != 503
                if final or failures > TRIES:
                    raise
                await asyncio.sleep(2**failures / 10)
                offset = await self._standing(place, offset)
                continue
            offset, failures = int(answer.headers.get("Upload-Offset", length)), 0
            progress(offset)
            if offset >= length:
                body = answer.json()
                self.receipts[session] = body["receipt"]
                return Accepted(receipt=body["receipt"], tracker=body["tracker"])

    async def _standing(self, place: str, otherwise: int) -> int:
        """Return how much of an upload the hall has; ``otherwise`` when it does not say."""
        with contextlib.suppress(httpx.TransportError):
            answer = await self._http.head(place, headers={"Tus-Resumable": "1.0.0"})
            return int(answer.headers.get("Upload-Offset", otherwise))
        return otherwise

    async def release(self, session: str, group: str, signer: Credential, opener: Credential | bytes) -> list[int]:
        """Answer the challenge: check the frozen set, unwrap this bid's key, check it, release it, signed.

        Raises crypto's errors when the key at hand does not open the slot, or when the hall's list is not the one it
        committed to, and ``Contradicted`` (web.participant.counted) when its receipts say otherwise. Then nothing is
        sent.
        """
        path = f"/api/v1/sessions/{session}"
        challenge = await self._json("GET", f"{path}/challenge?group={group}")
        header = unb64u(challenge["header"])
        bid = Container(header=parse_header(header), header_bytes=header, declaration=b"", total_len=0)
        frozen = root([leaf_hash(bytes.fromhex(digest)) for digest in challenge["headers"]])
        if bid.header_sha256 not in challenge["headers"] or frozen.hex() != challenge["root"]:
            raise ProofRefused("wrong_proof")
        if challenge.get("receipt"):
            kept = self.receipts.get(session)
            await look(challenge["receipt"], bid.header_sha256, partial(self._perhaps, path), kept)
        place: dict[str, Any] = {"session": session, "nonce": challenge["nonce"], "signer": signer}
        # Whatever opens the slot: the certificate's key, or the group's key itself from a key file.
        secret = opener if isinstance(opener, bytes) else unlock(bid, group, opener)
        if challenge["session_key"] is None:
            message = make_split_release(bid, group, secret, locks=await self.locks(session), **place)
        else:
            key = load_session_public(challenge["session_key"])
            message = make_release(bid, group, secret, session_key=key, **place)
        answer = await self._json("POST", f"{path}/releases", {"release": message}, repeatable=True)
        numbers: list[int] = answer["events"]
        return numbers

    async def _perhaps(self, below: str, path: str) -> bytes | None:
        """Return what there is at a path, or None if it cannot be had."""
        try:
            return await self.download(f"{below}/{path}")
        except (HallRefused, httpx.TransportError):
            return None

    async def locks(self, session: str) -> tuple[Lock, ...]:
        """Return the locks of the announcement, which is public and chained: never those of a challenge."""
        tender = await self._json("GET", f"/api/v1/sessions/{session}/tender.json")
        return tuple(
            Lock(
                id=lock["id"],
                threshold=lock["threshold"],
                certificates=tuple(parse_certificate(unb64u(one["certificate"])) for one in lock["officers"]),
            )
            for lock in tender.get("locks", ())
        )

    async def remove_lock(self, session: str, officer: Credential) -> dict[str, str]:
        """Open the shares sealed to this officer, here, and bring them; return the bids where one does not hold."""
        path = f"/api/v1/sessions/{session}/shares"
        sealed = await self._json("GET", path)
        opened = await asyncio.to_thread(open_all, sealed, officer)
        answer = await self._json("POST", path, {"shares": opened}, repeatable=True)
        failed: dict[str, str] = answer["failed"]
        return failed

    async def rescue(self, session: str, file: bytes, bidder: str = "") -> list[int]:
        """Hand in a rescue file or a key file, for the own bid or, as its host, for the bid of ``bidder``.

        Compared with the sealed bid first: ``commitment_mismatch`` or ``no_rescue`` before anything leaves.
        """
        path = f"/api/v1/sessions/{session}/rescues"
        terms = await self._json("GET", f"{path}?bidder={bidder}")
        header = parse_header(unb64u(terms["header"]))
        try:
            key, kind = read_key(file), KEY
            matching = (one.id for one in header.groups if _fits(header, one.id, key))
            group = next(matching, None)
            if group is None:
                raise SealedBidRefused("commitment_mismatch")
        except SealedBidRefused as error:
            if error.code != "malformed_rescue":
                raise
            spare = read_rescue(file)
            check_sheet(header, spare.salt, spare.sheet)
            kind, group = PLAIN, terms["groups"][-1]
        sealed = seal_rescue(
            key if kind == KEY else file,
            kind,
            session=session,
            group=group,
            header_sha256=terms["header_sha256"],
            nonce=terms["nonce"],
            session_key=load_session_public(terms["session_key"]),
        )
        body = {"bidder": terms["bidder"], "group": group, "kind": kind, "hpke": sealed}
        numbers: list[int] = (await self._json("POST", path, body))["events"]
        return numbers

    async def time(self) -> datetime:
        """Return the hall's clock."""
        return moment((await self._json("GET", "/api/v1/time"))["now"])

    async def bidder(self) -> str | None:
        """Return whose login this is; None for the public and for staff."""
        found: str | None = (await self._json("GET", "/api/v1/me")).get("bidder")
        return found

    async def standing_bid(self, session: str) -> str | None:
        """Return the header digest of the bid that the hall holds of this bidder, if it holds one."""
        bid = (await self._json("GET", f"/api/v1/sessions/{session}/uploads/mine"))["bid"]
        return None if bid is None else str(bid["header_sha256"])

    async def send(self, path: str, content: bytes) -> None:
        """Send bytes, to see how fast they go."""
        answer = await self._http.post(path, content=content)
        if answer.status_code >= 400:
            raise _refusal(answer)

    async def ready(
        self, session: str, payload: Mapping[str, Any], signer: Credential, encrypt: x509.Certificate
    ) -> dict[str, Any]:
        """Say that one is ready, signed; the hall's answer has a slip, or what it saw amiss."""
        body = {"ready": sign(payload, "ready", signer), "encrypt": b64u(encrypt.public_bytes(Encoding.DER))}
        answer: dict[str, Any] = await self._json("POST", f"/api/v1/sessions/{session}/ready", body)
        return answer

    async def beat(self, session: str, bidder: str, signer: Credential, key: str, *, seen: int) -> timedelta:
        """Give one sign of life in the decrypt window, keep the acknowledgement, and return when the next is due.

        ``key`` is how the bidder's key is (sessions.watch.heartbeat.KEY_STATES), ``seen`` the newest fact it has.
        """
        path = f"/api/v1/sessions/{session}/heartbeats"
        began = time.monotonic()
        terms = await self._json("GET", path)
        payload = beat_payload(
            session=session,
            bidder=bidder,
            nonce=terms["nonce"],
            n=terms["next"],
            at=SystemClock().now(),
            key=key,
            seen=seen,
            lost=0,
            rtt_ms=[round(1000 * (time.monotonic() - began))],
            ack=sha256_hex(self.acks[-1].encode()) if self.acks else None,
        )
        self.acks += (await self._json("POST", path, {"beats": [sign(payload, BEAT, signer)]}))["acks"]
        return timedelta(milliseconds=terms["cadence_ms"])

    async def receipt_file(self, session: str, tracker: str) -> bytes:
        """Return one's own receipt as a file, with the proof that it is logged if a tick has come since."""
        return await self.download(f"/api/v1/sessions/{session}/uploads/mine/{tracker}")

    async def follow(self, session: str) -> AsyncIterator[tuple[dict[str, Any], dict[str, Any] | None]]:
        """Yield (view, message) for ever: first the snapshot with None, then every fact and signal as it comes.

        The view is this participant's own, kept by the facts' merge patches; a lost connection resumes by number.
        """
        view = await self.view(session)
        yield view, None
        while True:
            try:
                async for line in self.lines(session, view["n"]):
                    message = json.loads(line)
                    if "n" in message:
                        view = patch.apply(view, message["patch"])
                    yield view, message
            except (WebSocketException, OSError):
                pass
            await asyncio.sleep(0.3)

    async def lines(self, session: str, after: int = 0) -> AsyncIterator[str]:
        """Yield every message after number ``after`` as it came, until the connection ends."""
        async with connect(
            f"{self.url.replace('http', 'ws', 1)}/live/{session}?after={after}",
            additional_headers={"Cookie": self.cookie},
            origin=Origin(_origin(self.url)),
            compression=None,
            max_size=None,
            proxy=None,
            local_addr=(self._source, 0) if self._source else None,
        ) as socket:
            async for frame in socket:
                for line in str(frame).split("\n"):
                    yield line

    async def download(self, path: str) -> bytes:
        return (await self._answer(partial(self._http.get, path), tries=TRIES)).content

    async def save(self, path: str, file: Path) -> None:
        """Download into a file, however large it is."""

        async def send() -> httpx.Response:
            async with self._http.stream("GET", path) as answer:
                if not answer.is_success:
                    await answer.aread()
                    return answer
                with file.open("wb") as out:
                    async for piece in answer.aiter_bytes():
                        out.write(piece)
                return answer

        await self._answer(send, tries=TRIES)

    async def _json(
        self,
        method: str,
        path: str,
        body: object | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        repeatable: bool = False,
    ) -> Any:
        """Ask and return the answer. ``repeatable``: doing it twice is doing it once (RFC 9110 section 9.2.2)."""
        headers = {"Accept": "application/json", **(headers or {})}
        send = partial(self._http.request, method, path, json=body, headers=headers)
        return (await self._answer(send, tries=TRIES if repeatable or method == "GET" else 0)).json()

    async def _answer(self, send: Callable[[], Awaitable[httpx.Response]], *, tries: int) -> httpx.Response:
        """Send, again while the line breaks or the hall is busy: a worker that ends takes its requests with it."""
        for attempt in range(tries):
            try:
                answer = await send()
                if answer.status_code != 503:
                    break
            except httpx.TransportError:
                pass
            await asyncio.sleep(2**attempt / 10)
        else:
            answer = await send()
        if answer.status_code >= 400:
            raise _refusal(answer)
        return answer


def _fits(header: Header, group: str, key: bytes) -> bool:
    try:
        check_secret(header, group, key)
    except SealedBidRefused:
        return False
    return True


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _refusal(answer: httpx.Response) -> HallRefused:
    try:
        body = answer.json()
    except ValueError:
        body = {"title": answer.text[:200]}
    return HallRefused(answer.status_code, body if isinstance(body, dict) else {})
