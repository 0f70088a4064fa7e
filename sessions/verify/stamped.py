"""What timestamp authorities said of both logs: each token over its very checkpoint, at a time that fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from crypto.certificates import Usage, fingerprint, parse_certificate
from crypto.digest import sha256, sha256_hex
from crypto.paths import Trust
from crypto.timestamps import DRIFT, Stamp, verify_token
from crypto.tlog import Checkpoint, Tree
from sessions.archive.bundle import ENTRIES
from sessions.archive.stamped import (
    CERTIFICATES,
    LISTS,
    anchor_member,
    proof_member,
    receipts_member,
    token_member,
)
from sessions.errors import CommandRefused
from sessions.events import Anchored
from sessions.ids import Digest
from sessions.opening import Opening
from sessions.outside.certifying import recheck
from sessions.outside.receipt_proofs import origin_of
from sessions.plan import AnchorKind, Plan, Watch
from sessions.ports import FINAL, INTAKE, RECORDING
from sessions.proofs import Act, Grounds, State, accept, proof_of, read, worst
from sessions.recording.bundle import EVENTS
from sessions.recording.log import origin_of as recording_origin
from sessions.shape import moment
from sessions.verify.events import chained
from sessions.verify.replay import Replayed
from sessions.verify.report import Failed, Found, require

Files = Mapping[str, bytes]
ENTRY = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """A moment that an authority stamped: what a log held then; ``event`` is what the opening says of it."""

    name: str
    place: int
    stated: Checkpoint
    where: str
    newest: datetime
    event: Anchored | None = None
    recorded_at: datetime | None = None

    @property
    def member(self) -> str:
        return token_member(self.name, self.place)

    @property
    def evidence(self) -> str:
        return proof_member(self.name, self.place)


def members(files: Files, o: Opening) -> set[str]:
    """Return the members that a watched opening may leave: a token a point and authority, and the roots."""
    watch = o.plan.watch
    places = range(1, len(watch.authorities) + 1) if watch else range(0)
    points = [*(point.name for point in o.points), FINAL, *((RECORDING,) if o.plan.recording else ())]
    logged = o.plan.intake_log is not None and o.frozen is not None
    receipts = {name for name in files if logged and (found := receipts_member(name)) and found[1] in places}
    names = [(point, place) for point in points for place in places]
    names += [(f"{INTAKE}{found[0]}", found[1]) for name in receipts if (found := receipts_member(name))]
    items = {name for name in files if name.startswith((CERTIFICATES, LISTS))}
    return {
        *(token_member(*name) for name in names),
        *(proof_member(*name) for name in names),
        *map(anchor_member, places),
        *items,
    }


def tokens(files: Files, replayed: Replayed) -> Found:
    """Check every token, and say which points no authority stamped: that is no fault, but everyone may know it."""
    o = replayed.opening
    watch = o.plan.watch
    if watch is None or not watch.authorities:
        return Found(True, "no timestamp authority was announced")
    points = list(_points(files, replayed, watch))
    points += _recorded(files, replayed, watch)
    receipts = list(_receipts(files, replayed, watch))
    items, needed, states = _items(files), set[str](), dict.fromkeys((*State, None), 0)
    for point in (*points, *receipts):
        stamp = _check(files, point)
        grounds = _grounds(files, point, o.plan)
        states[None if grounds is None else worst(each.state for each in grounds.looked)] += 1
        if grounds is not None:
            needed |= _judged(point, grounds, stamp, items, files)
    points += receipts
    used = {anchor_member(point.place) for point in points}
    spare = {name for name in files if name.startswith(("stamps/", "trust/stamps-"))}
    spare -= used | needed | {point.member for point in points} | {point.evidence for point in points}
    require(not spare, f"{', '.join(sorted(spare))} is of no point that was stamped")
    have = {(point.name, point.place) for point in points}
    lacking = [
        f"{name} by {by}"
        for name in (*(point.name for point in o.points), FINAL)
        for place, by in enumerate(watch.authorities, start=1)
        if (name, place) not in have
    ]
    roots = {fingerprint(parse_certificate(files[name])).hex() for name in used}
    said = f"{len(points)} timestamps" + (f", {len(receipts)} of them over receipts" if receipts else "")
    told = ", ".join(f"{count} {state or 'not looked at'}" for state, count in states.items() if count)
    said += f"; revocation of their signers: {told}" if told else ""
    said += f"; authorities' roots: {', '.join(sorted(roots))}" if roots else ""
    return Found(True, said + (f"; missing: {', '.join(lacking)}" if lacking else ""))


def _points(files: Files, replayed: Replayed, watch: Watch) -> Iterator[_Point]:
    places = {name: place for place, name in enumerate(watch.authorities, start=1)}
    records = replayed.log.records
    tree = Tree(bytes.fromhex(record.digest) for record in records)
    for record in records:
        event = record.event
        if isinstance(event, Anchored) and event.kind is AnchorKind.STAMP:
            yield _Point(
                name=event.point,
                place=places[event.by],
                stated=Checkpoint(origin=watch.origin, size=event.size, root=tree.root(event.size)),
                where=f"event {record.number}",
                newest=records[event.size - 1].at,
                event=event,
                recorded_at=record.at,
            )
    ended = Checkpoint(origin=watch.origin, size=len(tree), root=tree.root())
    for place in places.values():
        if token_member(FINAL, place) in files:
            yield _Point(name=FINAL, place=place, stated=ended, where="the end", newest=records[-1].at)


def _recorded(files: Files, replayed: Replayed, watch: Watch) -> Iterator[_Point]:
    """The closed recording. Whether its events are whole is for ``recording.chain``."""
    places = [n for n in range(1, len(watch.authorities) + 1) if token_member(RECORDING, n) in files]
    if not places or not replayed.opening.plan.recording:
        return
    require(EVENTS in files, f"{EVENTS} is missing")
    cores = list(chained(files[EVENTS]))
    require(bool(cores), "nothing was recorded, and it is stamped")
    tree = Tree(bytes.fromhex(core.digest) for core in cores)
    stated = Checkpoint(origin=recording_origin(watch), size=len(tree), root=tree.root())
    for place in places:
        newest = moment(cores[-1].get("at"))
        yield _Point(name=RECORDING, place=place, stated=stated, where="the recording", newest=newest)


def _receipts(files: Files, replayed: Replayed, watch: Watch) -> Iterator[_Point]:
    """What the log of receipts held at each size that was stamped. It reaches none before its tick, or before T0."""
    o, log = replayed.opening, replayed.opening.plan.intake_log
    names = [(name, *found) for name in sorted(files) if (found := receipts_member(name))]
    if log is None or o.frozen is None or not names:
        return
    require(ENTRIES in files, f"{ENTRIES} is missing")
    entries = files[ENTRIES]
    tree = Tree(entries[at : at + ENTRY] for at in range(0, len(entries) - ENTRY + 1, ENTRY))
    for name, size, place in names:
        require(size <= len(tree) and place <= len(watch.authorities), f"{name} is of no checkpoint there was")
        tick = replayed.log.records[0].at + -(-size // log.leaves) * log.every
        yield _Point(
            name=f"{INTAKE}{size}",
            place=place,
            stated=Checkpoint(origin=origin_of(watch), size=size, root=tree.root(size)),
            where=f"{size} receipts",
            newest=min(tick, o.t0),
        )


def _items(files: Files) -> dict[Digest, bytes]:
    """Return the certificates and lists that evidence may name, by the digest that is their name."""
    found: dict[Digest, bytes] = {}
    for name, data in files.items():
        for folder in (CERTIFICATES, LISTS):
            if name.startswith(folder):
                digest = Digest(sha256_hex(data))
                require(name == f"{folder}{digest}.der", f"{name} is another file")
                found[digest] = data
    return found


def _grounds(files: Files, point: _Point, plan: Plan) -> Grounds | None:
    """Return the evidence of the authority's certificate, if there is any: what the event and the rules want."""
    document = files.get(point.evidence)
    grounds = None if document is None else read(document)
    proof = None if grounds is None else proof_of(grounds)
    if point.event is not None:
        require(point.event.proof == proof, f"{point.where}: {point.evidence} is not what the event says")
    try:
        accept(plan.pack.revocation, Act.STAMP, proof, wanted=bool(plan.proofs))
    except CommandRefused as refused:
        raise Failed(f"{point.where}: {refused.code}, for the authority's certificate") from refused
    return grounds


def _judged(point: _Point, grounds: Grounds, stamp: Stamp, items: Mapping[Digest, bytes], files: Files) -> set[str]:
    """Come to the verdict on the authority's certificate again; return the members that it took."""
    require(grounds.v == 1 and len(grounds.looked) == 1, f"{point.where}: evidence of another form")
    (looked,) = grounds.looked
    require(looked.usage is Usage.STAMP, f"{point.where}: evidence of another form")
    require(looked.certificate == fingerprint(stamp.signer).hex(), f"{point.where}: evidence of another certificate")
    require(grounds.at == stamp.said_at, f"{point.where}: evidence of another moment")
    require(looked.state is not State.UNAVAILABLE or bool(grounds.tried), f"{point.where}: nobody was asked")
    anchor = parse_certificate(files[anchor_member(point.place)])
    recheck(looked, items, Trust(anchors=(anchor,)), grounds.at)
    names = {f"{CERTIFICATES}{name}.der" for name in (looked.certificate, *looked.chain)}
    return names | {f"{LISTS}{name}.der" for name in looked.crls}


def _check(files: Files, point: _Point) -> Stamp:
    where, anchor = point.where, anchor_member(point.place)
    require(point.member in files, f"{where}: {point.member} is missing")
    require(anchor in files, f"{where}: {anchor} is missing")
    token = files[point.member]
    digest = sha256(point.stated.text.encode())
    stamp = verify_token(token, digest=digest, anchors=[parse_certificate(files[anchor])])
    if point.event is not None:
        require(point.event.root == point.stated.root.hex(), f"{where} gives another root")
        require(point.event.sha256 == sha256_hex(token), f"{where} is of another token")
        require(point.event.said_at == stamp.said_at, f"{where} gives another time")
    require(stamp.said_at >= point.newest - DRIFT, f"{where}: stamped before what is under the stamp had happened")
    if point.recorded_at is not None:
        require(stamp.said_at <= point.recorded_at + DRIFT, f"{where}: recorded before it was stamped")
    return stamp
