"""The checks, one after the other. Each stands on what those before it found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crypto.encoding import parse_canonical
from crypto.signing import HallPublicKey
from sessions.archive.bundle import KEYS, MANIFEST, SIGNATURE
from sessions.archive.proved import CERTIFICATES, LISTS
from sessions.events import (
    BarrierPassed,
    BidNotOpened,
    BidOpened,
    BidReceived,
    IntakeClosed,
    Recorded,
    SheetRescued,
    Stream,
)
from sessions.ids import Digest
from sessions.opening import Opening, Status
from sessions.plan import Plan, StepKind
from sessions.plan_json import plan_from_json
from sessions.verify import (
    bids,
    bundled,
    draws,
    events,
    evidence,
    locks,
    logged,
    papers,
    proofs,
    recorded,
    replay,
    stamped,
    trusting,
    watched,
)
from sessions.verify.omission import Archived, weigh
from sessions.verify.replay import Replayed
from sessions.verify.report import Failed, Found, Report, Run, require
from sessions.verify.watched import checkpoints
from sessions.visibility import public_afterwards

Files = Mapping[str, bytes]


def verify(
    bundle: Path | bytes,
    receipt: bytes | None = None,
    *,
    held: bytes | None = None,
    trusted: bytes | None = None,
    policy: bytes | None = None,
    authorities: bytes | None = None,
) -> Report:
    """Check a bundle from itself alone, offline. Never raises for what is in the file; what fails is in the report.

    Whose ``hall_key`` signed it and whether the authorities in it deserve trust, no file can say of itself: compare
    their fingerprints with what the hall and the authorities publish. With a bidder's ``receipt`` (the file, or the
    bare JWS) the report also says what became of that bid. ``held`` is a checkpoint of one of its logs that
    somebody kept outside, or the head of its chain from a printed record (64 hex digits), to be compared with what
    the bundle says (check ``log.held``). ``trusted`` is a public
    document of the hall, one key or the list of all, that the reader has from elsewhere (check ``hall.key``);
    ``policy`` the witnesses that the reader goes by (``log.policy``), ``authorities`` the roots, PEM
    (``trust.authorities``). What nobody brought is in ``Report.taken``.
    """
    run = Run()
    files = run("bundle.file", bundled.opened, bundle)
    manifest = run("bundle.manifest", bundled.manifest, files)
    key = run("bundle.signature", bundled.signature, files, manifest)
    session = None if manifest is None else manifest["session"]
    cores = run("chain.opening", _cores, files, session)
    shown = run("chain.private", _disclosed, files, cores)
    replayed = run("rules.opening", _replay, cores, shown)
    run("bundle.contents", _contents, files, replayed)
    intake = run("chain.intake", _intake, files, session, replayed)
    taken = run("rules.intake", _taken, replayed, intake)
    run("plan.announced", _plan, files, replayed, intake)
    run("time.deadline", _deadline, replayed, intake)
    run("time.barrier", _barrier, replayed)
    run("locks.order", locks.order, replayed)
    run("set.root", _root, replayed)
    received = None if intake is None else _received(intake)
    run("set.complete", _complete, files, replayed, intake, taken)
    entries = run("log.intake", logged.receipts, files, replayed, intake, key)
    withdrawn = run("log.withdrawn", logged.withdrawals, files, replayed, intake)
    notes = run("log.opening", watched.opening_log, files, replayed, key)
    run("log.witnesses", watched.witnesses, replayed, notes)
    run("stamps.tokens", stamped.tokens, files, replayed)
    kept = run("recording.chain", recorded.chain, files, replayed, key)
    run("recording.files", recorded.media, files, replayed, kept)
    if trusted is not None:
        run("hall.key", bundled.known, files, key, trusted)
    if policy is not None:
        run("log.policy", trusting.witnessed, policy, replayed, notes)
    if authorities is not None:
        run("trust.authorities", trusting.authorities, authorities, files)
    if held is not None:
        run("log.held", watched.held_outside, held, files, replayed, key)
    sealed = run("bids.declarations", bids.sealed, files, replayed, received)
    run("bids.certificates", bids.certificates, files, sealed)
    run("bids.receipts", _receipts, files, replayed, received, key, entries)
    run("bids.quotes", bids.quotes, files, replayed, sealed)
    proved = run("statements.certificates", proofs.certificates, files, replayed, intake, sealed)
    signers = None if sealed is None else papers.signers(sealed)
    run("bids.evidence", evidence.gathered, files, replayed, signers, key)
    run("bids.causes", bids.causes, replayed)
    run("bids.failures", evidence.certificates, files, replayed, key)
    run("draws.result", draws.result, replayed, signers, proved)
    run("late.slips", papers.slips, files, replayed, key)
    run("statements.checkin", papers.checkins, files, replayed, intake, signers, proved)
    run("statements.confirm", papers.confirmations, files, replayed, signers, proved)
    run("statements.escrow", locks.escrows, files, replayed, signers, proved)
    run("record.projection", papers.projection, files, replayed)
    run("record.signatures", papers.signatures, files, replayed, signers, proved, key)
    run("record.page", papers.pages, files, replayed)
    archived = Archived(
        files=files,
        key=key,
        session=session,
        replayed=replayed,
        intake=intake,
        withdrawals=withdrawn is not None,
        declared=frozenset(one.bid.bidder for one in sealed or ()),
    )
    return Report(
        verdict=None if receipt is None else weigh(receipt, archived),
        checks=tuple(run.checks),
        session=session,
        title=replayed.opening.plan.tender.title if replayed else None,
        hall_key=key.kid if key else None,
        taken=trusting.taken(files or {}, replayed),
    )


def _cores(files: Files, session: str) -> Found:
    return events.cores(files["events/opening.jsonl"], session, Stream.OPENING)


def _disclosed(files: Files, cores: list[Mapping[str, Any]]) -> Found:
    return events.disclosed(files["events/opening.private.jsonl"], cores)


def _replay(cores: list[Mapping[str, Any]], shown: Mapping[int, Mapping[str, Any]]) -> Found:
    plan = plan_from_json(cores[0]["data"]["plan"])
    return replay.replay_opening(events.read(cores, shown, plan))


def _contents(files: Files, replayed: Replayed) -> Found:
    o = replayed.opening
    allowed = {"README.txt", "hall-key.json", "plan.json", "record.json", "record.html", MANIFEST, SIGNATURE}
    allowed |= {"events/opening.jsonl", "events/opening.private.jsonl"}
    allowed |= {"events/intake.jsonl"} if o.status is Status.ENDED else set()
    allowed |= logged.members(o) | recorded.members(o)
    require(allowed <= files.keys(), f"missing: {', '.join(sorted(allowed - files.keys()))}")
    allowed |= {KEYS} & files.keys()
    folders = {f"bids/{bid.row}/" for bid in o.bids if o.listed}
    folders |= {"trust/", CERTIFICATES, LISTS} if o.listed else set()
    gathered = any(bid.gathered is not None for bid in o.bids)
    folders |= {"evidence/"} if o.listed and (gathered or o.faults) else set()
    folders |= {"slips/"} if o.late else set()
    folders |= {"withdrawn/"} if o.status is Status.ENDED else set()
    folders |= {"signatures/"} if o.signatures else set()
    allowed |= recorded.may_have(files, o)
    allowed |= checkpoints(files, o) | stamped.members(files, o)
    strays = [name for name in files.keys() - allowed if name[: name.rfind("/") + 1] not in folders]
    require(not strays, f"does not belong here: {', '.join(sorted(strays)[:5])}")
    kinds = {type(record.event) for record in replayed.log.records}
    public_of = {kind: public_afterwards(o, kind) for kind in kinds}
    for record in replayed.log.records:
        public = public_of[type(record.event)]
        hidden = record.number in replayed.log.hidden
        private = record.salt is not None or hidden
        require(not private or public != hidden, f"event {record.number} discloses too much, or too little")
    return Found(True, f"status {o.status}")


def _intake(files: Files, session: str, replayed: Replayed) -> Found:
    o = replayed.opening
    name = "events/intake.jsonl"
    if name not in files:  # _contents decides whether it may be missing
        head = o.frozen.intake_head if o.frozen else "unknown"
        return Found((), f"withheld, because the opening was not held; its head is {head}")
    cores = events.cores(files[name], session, Stream.INTAKE).value
    log = events.read(cores, {}, o.plan)
    last = log.records[-1]
    frozen = o.frozen
    require(frozen is not None and frozen.intake_head == last.digest, "it does not end where the opening locked it")
    return Found(log.records, f"{len(log.records)} events, head {last.digest}")


def _taken(replayed: Replayed, intake: tuple[Recorded, ...]) -> Found:
    if not intake:
        return Found((), "withheld")
    log = events.Log(records=intake, hidden=frozenset())
    return replay.replay_intake(log, replayed.opening.plan)


def _plan(files: Files, replayed: Replayed, intake: tuple[Recorded, ...]) -> Found:
    plan = parse_canonical(files["plan.json"], limit=bundled.LINES)
    require(plan_from_json(plan) == replayed.opening.plan, "plan.json is another plan")
    first = getattr(replayed.log.records[0].event, "plan", None)
    require(plan == first, "the opening was announced with another plan")
    if intake:
        require(plan == getattr(intake[0].event, "plan", None), "intake was announced with another plan")
    announced: Plan = replayed.opening.plan
    return Found(True, f"rules {announced.pack.id} {announced.pack.version}, sha256 {announced.pack.digest}")


def _deadline(replayed: Replayed, intake: tuple[Recorded, ...]) -> Found:
    o = replayed.opening
    if o.frozen is None:
        require(o.status is Status.ABORTED, "intake never closed")
        return Found(True, "aborted before the opening time")
    require(o.frozen.at == o.t0, f"the set was frozen at {o.frozen.at}, not at {o.t0}")
    for record in intake:
        match record.event:
            case IntakeClosed():
                require(record.at == o.t0, "intake closed at another moment")
            case BidReceived():
                require(record.at < o.t0, f"intake event {record.number} is not before the deadline")
            case _:
                pass
    return Found(True, f"{o.t0.isoformat()}, moved {len(o.moves)} times")


def _barrier(replayed: Replayed) -> Found:
    o, records = replayed.opening, replayed.log.records
    passed = [n for n, r in enumerate(records) if isinstance(r.event, BarrierPassed)]
    results = [n for n, r in enumerate(records) if isinstance(r.event, BidOpened | SheetRescued | BidNotOpened)]
    require(len(passed) <= 1, "there are two barriers")
    require(not results or bool(passed), "bids were opened without a barrier")
    if not passed:
        return Found(True, "nothing was opened")
    require(all(n > passed[0] for n in results), "a bid was opened before the barrier")
    if not results:
        require(o.status is Status.ABORTED, "no results were recorded")
        return Found(True, "aborted before the bids were opened")
    require(results == list(range(results[0], results[0] + len(results))), "the results did not come together")
    require(len(results) == len(o.bids), "there is not one result for each bid")
    _window(o)
    opened = sum(isinstance(records[n].event, BidOpened | SheetRescued) for n in results)
    return Found(True, f"{opened} opened, {len(results) - opened} not")


def _window(o: Opening) -> None:
    """The barrier came with the last key, or at the very end of the window."""
    run, barrier = o.run_of(StepKind.DECRYPT), o.barrier
    if run is None or barrier is None:
        raise Failed("there was no decrypt window")
    released = tuple(bid.bidder for bid in o.bids if bid.groups >= o.groups)
    require(barrier.released == released, "the barrier names others than those who released")
    require(barrier.reason == ("window" if barrier.missing else "all"), "the barrier gives another reason")
    require(not barrier.missing or run.due is None or barrier.at >= run.due, "the window was cut short")


def _root(replayed: Replayed) -> Found:
    if replayed.opening.frozen is None:
        return Found(True, "aborted before the opening time")
    return bids.root(replayed.opening)


def _received(intake: tuple[Recorded, ...]) -> dict[Digest, Recorded]:
    """The events of the bids, by tracker code, which no two events share."""
    return {Digest(r.event.tracker): r for r in intake if isinstance(r.event, BidReceived)}


def _complete(files: Files, replayed: Replayed, intake: tuple[Recorded, ...], taken: Any) -> Found:
    if not intake:
        return Found(True, "withheld, because the opening was not held")
    return bids.complete(files, replayed.opening, taken, intake[-1])


def _receipts(
    files: Files,
    replayed: Replayed,
    received: Mapping[Digest, Recorded],
    key: HallPublicKey,
    entries: tuple[bytes, ...],
) -> Found:
    if not replayed.opening.listed:
        return Found(True, "no bidder was published")
    return bids.receipts(files, replayed.opening, received, key, entries)
