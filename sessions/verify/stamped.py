"""What timestamp authorities said of the opening's log: each token over its very checkpoint, at a time that fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from crypto.certificates import fingerprint, parse_certificate
from crypto.digest import sha256, sha256_hex
from crypto.timestamps import DRIFT, Stamp, verify_token
from crypto.tlog import Checkpoint, Tree
from sessions.events import Anchored
from sessions.opening import Opening
from sessions.plan import AnchorKind, Watch
from sessions.stamped import FINAL, anchor_member, token_member
from sessions.verify.replay import Replayed
from sessions.verify.report import Found, require

Files = Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """A moment that an authority stamped: the first ``size`` events; ``event`` is what the log says of it."""

    name: str
    place: int
    size: int
    number: int | None
    event: Anchored | None
    recorded_at: datetime | None

    @property
    def member(self) -> str:
        return token_member(self.name, self.place)


def members(o: Opening) -> set[str]:
    """Return the members that a watched opening may leave: a token a point and authority, and the roots."""
    watch = o.plan.watch
    places = range(1, len(watch.authorities) + 1) if watch else ()
    points = [*(point.name for point in o.points), FINAL]
    return {token_member(point, place) for point in points for place in places} | set(map(anchor_member, places))


def tokens(files: Files, replayed: Replayed) -> Found:
    """Check every token, and say which points no authority stamped: that is no fault, but everyone may know it."""
    o = replayed.opening
    watch = o.plan.watch
    if watch is None or not watch.authorities:
        return Found(True, "no timestamp authority was announced")
    tree = Tree(bytes.fromhex(record.digest) for record in replayed.log.records)
    points = list(_points(files, replayed, watch))
    stamps = [_token(files, replayed, watch, tree, point) for point in points]
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
    said = f"{len(stamps)} timestamps" + (f"; authorities' roots: {', '.join(sorted(roots))}" if roots else "")
    return Found(True, said + (f"; missing: {', '.join(lacking)}" if lacking else ""))


def _points(files: Files, replayed: Replayed, watch: Watch) -> Iterator[_Point]:
    places = {name: place for place, name in enumerate(watch.authorities, start=1)}
    for record in replayed.log.records:
        event = record.event
        if isinstance(event, Anchored) and event.kind is AnchorKind.STAMP:
            yield _Point(
                name=event.point,
                place=places[event.by],
                size=event.size,
                number=record.number,
                event=event,
                recorded_at=record.at,
            )
    length = len(replayed.log.records)
    for place in places.values():
        if token_member(FINAL, place) in files:
            yield _Point(name=FINAL, place=place, size=length, number=None, event=None, recorded_at=None)


def _token(files: Files, replayed: Replayed, watch: Watch, tree: Tree, point: _Point) -> Stamp:
    where = f"event {point.number}" if point.number else "the end"
    anchor = anchor_member(point.place)
    require(point.member in files, f"{where}: {point.member} is missing")
    require(anchor in files, f"{where}: {anchor} is missing")
    token = files[point.member]
    root = tree.root(point.size)
    text = Checkpoint(origin=watch.origin, size=point.size, root=root).text
    stamp = verify_token(token, digest=sha256(text.encode()), anchors=[parse_certificate(files[anchor])])
    if point.event is not None:
        require(point.event.root == root.hex(), f"{where} gives another root")
        require(point.event.sha256 == sha256_hex(token), f"{where} is of another token")
        require(point.event.said_at == stamp.said_at, f"{where} gives another time")
    newest = replayed.log.records[point.size - 1].at
    require(stamp.said_at >= newest - DRIFT, f"{where}: stamped before what is under the stamp had happened")
    if point.recorded_at is not None:
        require(stamp.said_at <= point.recorded_at + DRIFT, f"{where}: recorded before it was stamped")
    return stamp
