"""The opening's events as a transparency log (crypto/FORMAT.md section 12): hashes only, for everybody."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from crypto.errors import NoteRefused
from crypto.tlog import Tree, VerifierKey, entry_bundle, read_tile_path, write_proof
from crypto.tlog.notes import ED25519, b64
from sessions.events import Stream
from sessions.ids import SessionId
from sessions.outside.anchoring import cosigned, witnessed
from sessions.outside.opening_log import LogDoubted
from sessions.plan import Watch
from sessions.ports import Signed
from web.answers.problems import Problem
from web.services import Services, services_of

router = APIRouter(prefix="/api/v1")

_BRIEF: Final = {"cache-control": "public, max-age=1"}
_FOR_EVER: Final = {"cache-control": "public, max-age=31536000, immutable"}
_MEDIA: Final = "text/plain; charset=utf-8"


@router.get("/log-key", summary="The hall's key for its logs")
async def log_key(request: Request) -> Response:
    """A vkey; its name is what the names of all logs of this hall begin with. Witnesses are set up with it.

    After a rotation there is another. A witness is given both: an opening keeps the key it was announced under.
    """
    services = services_of(request)
    key = VerifierKey(services.settings.hall_name, ED25519, services.hall_keys.newest.public.raw)
    return PlainTextResponse(f"{key}\n", headers={"cache-control": "public, max-age=3600"})


@router.get("/sessions/{session}/log/checkpoint", summary="The newest checkpoint")
async def checkpoint(request: Request, session: SessionId) -> Response:
    """Signed by the hall, at most a second old, with the cosignatures it has so far."""
    services = services_of(request)
    signed = await _newest(services, session)
    return Response(await _cosigned(services, session, signed), media_type=_MEDIA, headers=_BRIEF)


@router.get("/sessions/{session}/log/checkpoint/{size}", summary="A checkpoint that was signed")
async def checkpoint_of(request: Request, session: SessionId, size: int) -> Response:
    """With the cosignatures it has so far. 404 if none of this size was signed."""
    services = services_of(request)
    signed = await services.stores.checkpoints.at((await _watch(services, session)).origin, size)
    if signed is None:
        raise Problem("not_found")
    return Response(await _cosigned(services, session, signed), media_type=_MEDIA, headers=_BRIEF)


@router.get("/sessions/{session}/log/proof/{number}", summary="That an event is in the log")
async def proof(request: Request, session: SessionId, number: int) -> Response:
    """A `.tlog-proof` of event `number` (from 1), in the first checkpoint with it that a quorum cosigned, if any."""
    services = services_of(request)
    signed = await _witnessed(services, session, number) or await _newest(services, session, covering=number)
    if not 1 <= number <= signed.size:
        raise Problem("not_found")
    tree = await services.opening_log.tree(session)
    note = await _cosigned(services, session, signed)
    text = write_proof(number - 1, tree.inclusion_proof(number - 1, signed.size), note)
    name = f'attachment; filename="{session}-{number}.tlog-proof"'
    return Response(text, media_type=_MEDIA, headers={**_BRIEF, "content-disposition": name})


@router.get("/sessions/{session}/log/consistency", summary="That the log only grew")
async def consistency(request: Request, session: SessionId, old: int, new: int) -> Response:
    """The consistency proof of RFC 6962 between two sizes, a hash in base64 on each line."""
    tree = await _tree(services_of(request), session)
    if not 0 <= old <= new <= len(tree):
        raise Problem("not_found")
    lines = "".join(f"{b64(one)}\n" for one in tree.consistency_proof(old, new))
    return Response(lines, media_type=_MEDIA, headers=_FOR_EVER)


@router.get("/sessions/{session}/log/tile/{path:path}", summary="A tile of hashes, or a bundle of entries")
async def tile(request: Request, session: SessionId, path: str) -> Response:
    """As c2sp.org/tlog-tiles has them: `LEVEL/N`, `entries/N`, with `.p/WIDTH` for partial ones."""
    services = services_of(request)
    tree = await _tree(services, session)
    try:
        asked = read_tile_path(path)
        if asked.end > len(tree):
            raise IndexError("no such tile")
        if asked.level is None:
            body = await _entries(services, session, asked.index * 256, asked.end)
        else:
            body = asked.hashes(tree)
    except (NoteRefused, IndexError):
        raise Problem("not_found") from None
    return Response(body, media_type="application/octet-stream", headers=_FOR_EVER)


async def _entries(services: Services, session: SessionId, start: int, end: int) -> bytes:
    digests = await services.stores.events.digests(session, Stream.OPENING, after=start)
    return entry_bundle(bytes.fromhex(digest) for digest in digests[: end - start])


async def _watch(services: Services, session: SessionId) -> Watch:
    watch = (await services.sessions.state(session)).plan.watch
    if watch is None:  # an opening of an earlier version
        raise Problem("not_found")
    return watch


async def _tree(services: Services, session: SessionId) -> Tree:
    await _watch(services, session)
    return await services.opening_log.tree(session)


async def _newest(services: Services, session: SessionId, *, covering: int = 0) -> Signed:
    watch = await _watch(services, session)
    try:
        return await services.opening_log.newest(session, watch.origin, covering=covering)
    except LogDoubted as doubt:
        raise Problem("log_doubted", why=str(doubt)) from None


async def _witnessed(services: Services, session: SessionId, number: int) -> Signed | None:
    """The smallest checkpoint with this event that enough witnesses cosigned."""
    watch = await _watch(services, session)
    size = witnessed(await services.notary.answers(session), watch.quorum, number)
    return None if size is None else await services.stores.checkpoints.at(watch.origin, size)


async def _cosigned(services: Services, session: SessionId, signed: Signed) -> str:
    return cosigned(signed, await services.notary.answers(session))
