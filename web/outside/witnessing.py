"""The witnesses of this hall: who they are, and how they are asked (c2sp.org/tlog-witness)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from crypto.digest import sha256_hex
from crypto.errors import CryptoRefused, NoteRefused
from crypto.tlog import Policy, Witness, WitnessKey, read_note, read_policy, verify_cosignature, with_signatures
from crypto.tlog.notes import MAX_NOTE, decimal
from crypto.tlog.requests import write_request
from sessions.ids import SessionId
from sessions.plan import AnchorKind, Watch
from sessions.ports import HoldsAnother, NotAnchored, Said, ToAnchor
from web.settings import Settings, SettingsRefused

TIMEOUT = httpx.Timeout(4.0, connect=2.0)
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """Whom new openings name: the witnesses of the settings, their quorum, and the timestamp authorities."""

    hall_name: str
    witnesses: tuple[Witness, ...]
    policy: Policy
    authorities: tuple[str, ...]

    def watch(self, session: SessionId) -> Watch:
        """Return what the plan of a new opening says."""
        return Watch(
            origin=f"{self.hall_name}/s/{session}",
            witnesses=tuple(str(witness.key) for witness in self.witnesses),
            quorum=self.policy.quorum,
            authorities=self.authorities,
        )


def read_witnesses(settings: Settings, *, authorities: tuple[str, ...]) -> Watching:
    """Return the witnesses that the settings name; raise SettingsRefused where the file is wrong."""
    witnesses: tuple[Witness, ...] = ()
    policy = Policy(witnesses=(), quorum=0)
    if settings.witnesses_file is not None:
        try:
            witnesses, policy = read_policy(settings.witnesses_file.read_text("utf-8"))
        except (NoteRefused, UnicodeDecodeError) as error:
            raise SettingsRefused(f"witnesses_file: {error}") from None
        except OSError as error:
            raise SettingsRefused(f"witnesses_file: {error.strerror}") from None
        for witness in witnesses:
            if not witness.url.startswith(("http://", "https://")):
                raise SettingsRefused(f"witnesses_file: {witness.key.name} has no address")
    return Watching(hall_name=settings.hall_name, witnesses=witnesses, policy=policy, authorities=authorities)


class RemoteWitness:
    """One witness on the network (sessions.ports.Witnessing). Remembers how far it is, so one request is enough."""

    def __init__(self, witness: Witness, client: httpx.AsyncClient) -> None:
        self._key: WitnessKey = witness.key
        self._url = witness.url.rstrip("/")
        self._client = client
        self._sizes: dict[str, int] = {}

    @property
    def kind(self) -> AnchorKind:
        return AnchorKind.WITNESS

    @property
    def name(self) -> str:
        return self._key.name

    async def hold(self, asked: ToAnchor) -> Said:
        """See Anchor."""
        for _ in range(_TRIES):
            old = self._sizes.get(asked.origin, 0)
            if old > asked.size:
                raise HoldsAnother(await self._must_show(asked.origin))
            status, body = await self._post(write_request(old, asked.prove(old), asked.note))
            match status:
                case 200:
                    said = self._cosigned(asked, body)
                    self._sizes[asked.origin] = asked.size
                    return said
                case 409:
                    self._sizes[asked.origin] = self._size(body, old)
                case 422:
                    raise HoldsAnother(await self._must_show(asked.origin))
                case _:
                    raise NotAnchored(f"it answered {status}: {body[:200]!r}")
        raise NotAnchored("it names another size each time")

    async def seen(self, origin: str) -> str | None:
        """See Witnessing."""
        try:
            status, body = await self._get(f"{sha256_hex(origin.encode())}/checkpoint")
        except NotAnchored:
            return None
        return body if status == 200 else None

    async def answers(self) -> bool:
        """Whether anybody is there: a witness says of a log that does not exist that it never saw it."""
        try:
            await self._get(f"{'0' * 64}/checkpoint")
        except NotAnchored:
            return False
        return True

    async def _must_show(self, origin: str) -> str:
        note = await self.seen(origin)
        if note is None:
            raise NotAnchored("it refuses, and does not show what it holds instead")
        return note

    def _cosigned(self, asked: ToAnchor, body: str) -> Said:
        try:
            note = with_signatures(asked.note, body)
            time = verify_cosignature(note, self._key)
            line = next(
                line
                for line in read_note(note).by(self._key.verifier)
                if int.from_bytes(line.signature[:8], "big") == time
            )
            at = datetime.fromtimestamp(time, UTC)
        except (CryptoRefused, ValueError, OverflowError, OSError) as error:
            raise NotAnchored(f"what it said is no cosignature: {error}") from error
        return Said(evidence=str(line).encode(), at=at)

    def _size(self, body: str, old: int) -> int:
        try:
            size = decimal(body.removesuffix("\n"))
        except NoteRefused as error:
            raise NotAnchored("409 without a size") from error
        if size == old:
            raise NotAnchored("409 with the very size it was given")
        return size

    async def _post(self, body: str) -> tuple[int, str]:
        return await self._send(
            self._client.build_request("POST", f"{self._url}/add-checkpoint", content=body.encode())
        )

    async def _get(self, path: str) -> tuple[int, str]:
        return await self._send(self._client.build_request("GET", f"{self._url}/{path}"))

    async def _send(self, request: httpx.Request) -> tuple[int, str]:
        body = bytearray()
        try:
            answer = await self._client.send(request, stream=True)
            try:
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > MAX_NOTE:
                        raise NotAnchored("its answer is too long")
            finally:
                await answer.aclose()
            return answer.status_code, body.decode()
        except (httpx.HTTPError, UnicodeDecodeError) as error:
            raise NotAnchored(f"{type(error).__name__}: {error}") from error


def client() -> httpx.AsyncClient:
    """Return the client with which witnesses are asked: no cookies of ours, no proxies, no redirects."""
    return httpx.AsyncClient(timeout=TIMEOUT, trust_env=False, follow_redirects=False)


def remote(witnesses: Sequence[Witness], http: httpx.AsyncClient) -> dict[str, RemoteWitness]:
    """Return how each witness is asked, by vkey."""
    return {str(witness.key): RemoteWitness(witness, http) for witness in witnesses}
