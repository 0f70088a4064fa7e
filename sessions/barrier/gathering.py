"""Evidence from the store: the three files of a bidder who handed over no key, and the figures in them."""

from __future__ import annotations

from dataclasses import dataclass

from crypto.digest import sha256_hex
from crypto.signing import peek
from sessions.commands import Gathered
from sessions.ids import BidderId, Digest
from sessions.opening import Opening
from sessions.opening.evidence import Beat, facts, measure, thinned
from sessions.plan import StepKind
from sessions.ports import Evidence, EvidenceStore, Kind
from sessions.watch.heartbeat import as_beat, beats_file, probes_file, reach_file, read_probes


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What the archive shows for the causes of an opening: ``own`` by bidder, ``reach`` and ``probes`` for all."""

    own: dict[BidderId, bytes]
    beats: dict[BidderId, tuple[Beat, ...]]
    reach: bytes
    reached: tuple[Beat, ...]
    probes: bytes


async def collect(o: Opening, store: EvidenceStore) -> Files:
    """Return the files of everyone whose keys were missing. The same at the barrier and ever after."""
    run, barrier, rule = o.run_of(StepKind.DECRYPT), o.barrier, o.plan.pack.evidence
    if run is None or barrier is None or rule is None:
        return Files(own={}, beats={}, reach=b"", reached=(), probes=b"")
    session, end = o.plan.session, barrier.at
    came = [piece for piece in await store.evidence(session, Kind.BEAT) if piece.at <= end]
    own = {who: [piece for piece in came if piece.bidder == who] for who in barrier.missing}
    by_beat = {_beat(piece): piece for piece in came}
    reached = thinned(by_beat, run.entered_at, measure(o, rule).cadence)
    rows = {bid.bidder: bid.row for bid in o.bids}
    return Files(
        own={who: beats_file(pieces) for who, pieces in own.items()},
        beats={who: tuple(map(_beat, pieces)) for who, pieces in own.items()},
        reach=reach_file((rows[beat.bidder], by_beat[beat]) for beat in reached),
        reached=reached,
        probes=probes_file(piece for piece in await store.evidence(session, Kind.PROBE) if piece.at <= end),
    )


async def gather(o: Opening, store: EvidenceStore) -> tuple[Gathered, ...]:
    """Return the figures on everyone whose keys are missing, in row order."""
    found = await collect(o, store)
    probes = read_probes(found.probes)
    return tuple(
        Gathered(
            bidder=bid.bidder,
            facts=facts(o, bid, found.beats[bid.bidder], found.reached, probes),
            sha256=Digest(sha256_hex(found.own[bid.bidder])),
            reach_sha256=Digest(sha256_hex(found.reach)),
            probes_sha256=Digest(sha256_hex(found.probes)),
        )
        for bid in o.bids
        if bid.bidder in found.own
    )


def _beat(piece: Evidence) -> Beat:
    """The figures in a stored beat, which was verified when it came."""
    return as_beat(peek(piece.statement)[1], peek(piece.answer)[1])
