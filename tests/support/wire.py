"""The wire vectors: a ceremony's log, and what the hall says of it to each audience.

``log.json`` is the log as the hall alone knows it: chained cores, private parts, salts, names. ``<audience>.json``
has every message that audience gets and the view after every tenth. ``failed.json`` and ``aborted.json`` are other
ceremonies, log included, for the public. Remake them all: ``python -m tests.support.wire``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hall.rooms.lane import encode
from hall.rooms.room import Room
from hall.views.audience import Audience
from hall.views.patch import without_nulls
from sessions.chaining import core
from sessions.codec import event_from_json, event_to_json
from sessions.events import Recorded, Stream
from sessions.ids import Digest, SessionId
from sessions.roles import Actor, Role
from sessions.shape import moment
from tests.support.hall_story import (
    SESSION,
    a_failed_story,
    a_full_story,
    a_locked_story,
    a_stopped_story,
    a_watched_story,
    a_witnessed_story,
    an_aborted_story,
    bidder_id,
)

HERE = Path(__file__).parent.parent / "vectors" / "wire"
AUDIENCES = {
    "public": Audience(Role.PUBLIC),
    "bidder": Audience(Role.BIDDER, bidder_id(2)),
    "host": Audience(Role.HOST),
    "supervisor": Audience(Role.SUPERVISOR),
}

OTHERS = {
    "failed": a_failed_story,
    "aborted": an_aborted_story,
    "locked": a_locked_story,
    "witnessed": a_witnessed_story,
    "watched": a_watched_story,
    "stopped": a_stopped_story,
}


def to_log(records: list[Recorded]) -> list[dict[str, Any]]:
    return [
        {
            "core": core(record),
            "digest": record.digest,
            "salt": record.salt,
            "private": event_to_json(record.event)[2],
            "actor_name": record.actor.name,
        }
        for record in records
    ]


def from_log(log: list[dict[str, Any]]) -> list[Recorded]:
    return [_recorded(entry) for entry in log]


def _recorded(entry: dict[str, Any]) -> Recorded:
    chained = entry["core"]
    session, _, stream = chained["stream"].partition("/")
    role, _, account = chained["actor"].partition(":")
    return Recorded(
        session=SessionId(session),
        stream=Stream(stream),
        number=chained["n"],
        at=moment(chained["at"]),
        actor=Actor(role=Role(role), id=account, name=entry["actor_name"]),
        event=event_from_json(chained["type"], chained["data"], entry["private"]),
        salt=entry["salt"],
        previous=Digest(chained["prev"]),
        digest=Digest(entry["digest"]),
    )


def said_to(audience: Audience, records: list[Recorded]) -> dict[str, Any]:
    """Return every message and every tenth view, as they are on the wire."""
    room, messages, views = Room(SESSION), [], {}
    for record in records:
        room.add([record])
        messages += [json.loads(message) for message in room.facts(audience, record.number - 1, 1)]
        if record.number % 10 == 0 or record is records[-1]:
            views[str(record.number)] = without_nulls(json.loads(encode(room.snapshot(audience).view)))
    return {"audience": audience.key, "messages": messages, "views": views}


def write(name: str, value: object) -> None:
    (HERE / f"{name}.json").write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


def read(name: str) -> Any:
    return json.loads((HERE / f"{name}.json").read_text())


def main() -> None:
    """Say again what the hall says of the recorded logs; a log that is missing is played anew, with new salts."""
    records = from_log(read("log")) if (HERE / "log.json").exists() else a_full_story().records
    write("log", to_log(records))
    for name, audience in AUDIENCES.items():
        write(name, said_to(audience, records))
    for name, story in OTHERS.items():
        told = from_log(read(name)["log"]) if (HERE / f"{name}.json").exists() else story().records
        write(name, {"log": to_log(told), **said_to(AUDIENCES["public"], told)})


if __name__ == "__main__":
    main()
