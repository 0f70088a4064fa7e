"""What timestamp authorities said of both logs: each token over its very checkpoint, at a time that fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from crypto.certificates import fingerprint, parse_certificate
from crypto.digest import sha256, sha256_hex
from crypto.timestamps import DRIFT, verify_token
from crypto.tlog import Checkpoint, Tree
from sessions.archive import ENTRIES
from sessions.events import Anchored
from sessions.opening import Opening
from sessions.plan import AnchorKind, Watch
from sessions.ports import INTAKE
from sessions.receipt_proofs import origin_of
from sessions.stamped import FINAL, anchor_member, receipts_member, token_member
from sessions.verify.replay import Replayed
from sessions.verify.report import Found, require

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


def members(files: Files, o: Opening) -> set[str]:
    """Return the members that a watched opening may leave: a token a point and authority, and the roots."""
    watch = o.plan.watch
    places = range(1, len(watch.authorities) + 1) if watch else range(0)
    points = [*(point.name for point in o.points), FINAL]
    logged = o.plan.intake_log is not None and o.frozen is not None
    receipts = {name for name in files if logged and (found := receipts_member(name)) and found[1] in places}
    return {token_member(point, place) for point in points for place in places} | {
        *map(anchor_member, places),
        *receipts,
    }


def tokens(files: Files, replayed: Replayed) -> Found:
    """Check every token, and say which points no authority stamped: that is no fault, but everyone may know it."""
    o = replayed.opening
    watch = o.plan.watch
    if watch is None or not watch.authorities:
        return Found(True, "no timestamp authority was announced")
    points = list(_points(files, replayed, watch))
    receipts = list(_receipts(files, replayed, watch))
    for point in (*points, *receipts):
        _check(files, point)
    points += receipts
    used = {anchor_member(point.place) for point in points}
    spare = {name for name in files if name.startswith(("stamps/", "trust/stamps-"))}
    spare -= used | {point.member for point in points}
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


def _check(files: Files, point: _Point) -> None:
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
