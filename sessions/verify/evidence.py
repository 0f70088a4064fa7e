"""The evidence behind the causes: signatures of signs of life, files by their digests, figures computed again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509

from crypto.digest import sha256_hex
from crypto.signing import HallPublicKey, verify
from sessions.archive.failure import KIND, failures, names_of
from sessions.barrier.nonces import nonce, window_digest
from sessions.events import EvidenceGathered, FaultMeasured
from sessions.ids import Digest, SessionId
from sessions.opening import Opening
from sessions.opening.evidence import Beat, facts, measure, outages
from sessions.opening.state import Bid
from sessions.plan import StepKind
from sessions.verify.replay import Replayed
from sessions.verify.report import Failed, Found, require
from sessions.watch.heartbeat import as_beat, read_beat, read_beats, read_heard, read_probes, read_reach

Files = Mapping[str, bytes]
Certificates = Mapping[str, x509.Certificate]
REACH, PROBES = "evidence/reach.jsonl", "evidence/probes.jsonl"


def gathered(files: Files, replayed: Replayed, signers: Certificates, key: HallPublicKey) -> Found:
    """Every piece of evidence is signed and is the one the log names, and the figures in the log follow from it."""
    told = [record.event for record in replayed.log.records if isinstance(record.event, EvidenceGathered)]
    faults = _faults(files, replayed)
    if not told:
        return Found(True, f"of no bidder; {faults} faults of the hall")
    # An opening that was aborted before its results still has its evidence on record.
    shut, window = replayed.shut or replayed.opening, window_digest(replayed.opening, replayed.log.records)
    if window is None:
        raise Failed("evidence without a window")
    reader = _Reader(session=shut.plan.session, window=window, signers=signers, key=key)
    probes = read_probes(files.get(PROBES, b""))
    reach = [reader.beat(_row(shut, row), beat, ack) for row, beat, ack in read_reach(files.get(REACH, b""))]
    beats = 0
    for event in told:
        bid = shut.bid(event.bidder)
        if bid is None:
            raise Failed(f"{event.bidder} is not of the set")
        own = files.get(f"bids/{bid.row}/evidence.jsonl", b"")
        here = tuple(map(sha256_hex, (own, files.get(REACH, b""), files.get(PROBES, b""))))
        named = (event.sha256, event.reach_sha256, event.probes_sha256)
        require(here == named, f"row {bid.row}: other evidence than the log names")
        mine = [reader.beat(bid, beat, ack) for beat, ack in read_beats(own)]
        numbers = [one.number for one in mine]
        require(numbers == list(range(1, len(mine) + 1)), f"row {bid.row}: a sign of life is missing")
        again = facts(shut, bid, mine, reach, probes)
        require(dict(again) == dict(event.facts), f"row {bid.row}: the figures do not follow from the evidence")
        beats += len(mine)
    return Found(True, f"{len(told)} bidders, {beats} + {len(reach)} beats, {len(probes)} probes, {faults} faults")


def _faults(files: Files, replayed: Replayed) -> int:
    """Every fault that lengthened the window is a stretch without a sign of life of the hall."""
    told = [record.event for record in replayed.log.records if isinstance(record.event, FaultMeasured)]
    o, run = replayed.opening, replayed.opening.run_of(StepKind.DECRYPT)
    rule = o.plan.pack.evidence
    for event in told:
        if run is None or rule is None:
            raise Failed("a fault outside the decrypt window")
        probes = read_probes(files.get(PROBES, b""))
        ends = {run.entered_at, *(probe.at for probe in probes)}
        require({event.began, event.ended} <= ends, f"nothing shows a fault from {event.began}")
        inside = [probe for probe in probes if probe.at <= event.ended]
        shown = outages(inside, measure(o, rule), start=run.entered_at, end=event.ended)
        require((event.began, event.ended) in shown, f"the hall worked between {event.began} and {event.ended}")
    return len(told)


def _row(o: Opening, row: int) -> Bid:
    for bid in o.bids:
        if bid.row == row:
            return bid
    raise Failed(f"there is no row {row}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Reads beats of one window, each with its acknowledgement, and verifies both."""

    session: SessionId
    window: Digest
    signers: Certificates
    key: HallPublicKey

    def beat(self, bid: Bid, beat: str, ack: str) -> Beat:
        if bid.bidder not in self.signers:
            raise Failed(f"row {bid.row}: there is no certificate to check its signs of life with")
        signer, ours = self.signers[bid.bidder], nonce(self.window, bid.bidder)
        said = read_beat(beat, signer, session=self.session, bidder=bid.bidder, nonce=ours)
        heard = read_heard(ack, self.key)
        same = all(heard[name] == said[name] for name in ("session", "bidder", "nonce", "n"))
        about = heard["beat_sha256"] == sha256_hex(beat.encode())
        require(same and about, f"row {bid.row}: an acknowledgement of something else")
        return as_beat(said, heard)


def certificates(files: Files, replayed: Replayed, key: HallPublicKey) -> Found:
    """There are the failure certificates that the log gives rise to, and no others."""
    given = failures(replayed.log.records)
    names = set()
    for failure, name in zip(given, names_of(replayed.opening, given), strict=True):
        require(name in files, f"{name} is missing")
        payload = verify(files[name].decode("ascii"), KIND, key)
        require(payload == failure.payload, f"{name} says something else than the log")
        names.add(name)
    strays = {name for name in files if "/failure-" in name} - names
    require(not strays, f"nothing gave rise to {', '.join(sorted(strays)[:3])}")
    return Found(True, f"{len(given)} certificates")
