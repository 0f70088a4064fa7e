"""A room: facts in by number, bytes out from any number, encoded as seldom as possible."""

import json
from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from hall.limits import Limits
from hall.rooms import lane as lanes
from hall.rooms.room import Room
from hall.rooms.watcher import Watcher
from hall.views.audience import Audience
from hall.wire.errors import BadCursor
from hall.wire.frames import FRAMED, Form
from sessions.roles import Role
from tests.support.frames import lines_of
from tests.support.hall_story import SESSION, Story, a_full_story, a_plan, bidder_id

PUBLIC = Audience(Role.PUBLIC)
BIDDER = Audience(Role.BIDDER, bidder_id(2))
HOST = Audience(Role.HOST)

full_story = cache(a_full_story)


def a_room(limits: Limits | None = None) -> Room:
    room = Room(SESSION, limits or Limits())
    room.add(full_story().records)
    return room


def everything(room: Room, audience: Audience, after: int, form: Form = Form.LINES) -> bytes:
    watcher, taken = Watcher(audience, form, after=after), []
    while chunk := watcher.take(room):
        taken.append(chunk)
    return b"".join(taken)


@pytest.mark.parametrize("form", sorted(FRAMED))
@pytest.mark.parametrize("audience", [PUBLIC, BIDDER], ids=lambda audience: audience.key)
def test_frames_hold_the_same_lines_whether_packed_or_not(audience: Audience, form: Form) -> None:
    room = a_room()
    for after in range(0, room.number + 1, 7):
        lines = everything(room, audience, after, Form.LINES).decode().splitlines()
        assert lines_of(everything(room, audience, after, form)) == lines


@pytest.mark.parametrize("form", [Form.LINES, Form.SSE])
@pytest.mark.parametrize("audience", [PUBLIC, BIDDER], ids=lambda audience: audience.key)
def test_from_every_number_a_reader_gets_the_same_bytes(audience: Audience, form: Form) -> None:
    room = a_room()
    whole = everything(room, audience, 0, form)
    for after in range(room.number + 1):
        tail = everything(room, audience, after, form)
        assert whole.endswith(tail)
        facts = len(tail.split(b'"type":')) - 1
        assert facts == room.number - after


@pytest.mark.parametrize("chunk", [1, 3000, 20_000, 10**9])
def test_the_size_of_a_chunk_changes_no_byte(chunk: int) -> None:
    assert everything(a_room(Limits(chunk=chunk)), BIDDER, 0) == everything(a_room(), BIDDER, 0)


def test_a_chunk_is_bounded_but_for_one_fact() -> None:
    room = a_room(Limits(chunk=4000))
    longest = max(len(message) for message in room.facts(PUBLIC, 0, 1000))
    watcher = Watcher(PUBLIC)
    while chunk := watcher.take(room):
        assert len(chunk) < 4000 + longest + 1


def test_a_known_fact_is_passed_over_and_a_gap_is_reported() -> None:
    records = full_story().records
    room = Room(SESSION)
    assert room.add(records[:3])
    assert room.add(records[1:4])
    assert not room.add(records[5:])
    assert room.number == 4


@pytest.mark.parametrize("after", [-1, 1 + len(a_full_story().records), 10**12])
def test_a_cursor_off_the_log_is_refused(after: int) -> None:
    with pytest.raises(BadCursor):
        a_room().since(PUBLIC, after, Form.LINES)


def test_readers_at_one_place_share_one_object() -> None:
    room = a_room()
    assert room.since(PUBLIC, 3, Form.SSE)[0] is room.since(PUBLIC, 3, Form.SSE)[0]


def test_a_bidder_shares_the_bytes_of_its_role_where_nothing_is_its_own() -> None:
    room = a_room()
    first, second = (room.since(Audience(Role.BIDDER, bidder_id(n)), 55, Form.SSE)[0] for n in (4, 5))
    assert first is second


FROM = 12  # bids are listed soon after, which gives each bidder a lane of its own


@pytest.mark.parametrize("cut", [FROM, 40, 55])
def test_what_was_foreseen_is_told_as_if_nobody_had_and_not_before(cut: int) -> None:
    records = full_story().records
    ready, cold = Room(SESSION), Room(SESSION)
    for room in (ready, cold):
        room.add(records[:cut])
        for audience in (PUBLIC, BIDDER, HOST):
            room.lane(audience)
    coming = records[cut : cut + 9]
    ready.foresee(coming)
    assert same(ready, cold)
    ready.add(records[cut:])
    assert not same(ready, cold)
    cold.add(records[cut:])
    assert same(ready, cold)


@pytest.mark.parametrize("comes", ["other", "less", "gap"])
def test_what_was_foreseen_and_does_not_come_is_not_told(comes: str) -> None:
    records = full_story().records
    ready, cold = Room(SESSION), Room(SESSION)
    for room in (ready, cold):
        room.add(records[:FROM])
        room.lane(BIDDER)
    coming = [replace(record, actor=replace(record.actor, name="nobody")) for record in records[FROM : FROM + 9]]
    ready.foresee(coming)
    came = {"other": records[FROM:], "less": coming[:4], "gap": coming[4:]}[comes]
    for room in (ready, cold):
        assert room.add(came) is (comes != "gap")
    assert same(ready, cold)
    for room in (ready, cold):
        room.add(records)
    assert same(ready, cold)


def same(one: Room, other: Room) -> bool:
    """Whether both tell every audience the same."""
    every = (PUBLIC, HOST, BIDDER, Audience(Role.BIDDER, bidder_id(4)))
    return all(
        everything(one, each, 0) == everything(other, each, 0)
        and one.snapshot(each).body == other.snapshot(each).body
        and one.snapshot(each).etag == other.snapshot(each).etag
        for each in every
    )


def test_two_hundred_bidders_cost_about_one_encoding_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(a_plan(), bids=200).to_decrypt()
    room = Room(SESSION)
    room.add(story.records)
    connected = [Audience(Role.BIDDER, bidder_id(n)) for n in range(1, 201)]
    watchers = [Watcher(audience, after=room.number) for audience in connected]
    for audience in connected:
        room.lane(audience)
    made: Counter[str] = Counter()
    encode = lanes.encode

    def counting(message: Any) -> bytes:
        made["encodings"] += 1
        return encode(message)

    monkeypatch.setattr(lanes, "encode", counting)
    already = room.number
    for number in range(1, 101):
        story.release(number)
    story.fail(150, "locked")
    for record in story.records[already:]:
        room.add([record])
        for watcher in watchers:
            assert watcher.take(room)
    events = len(story.records) - already
    assert events == 101
    assert made["encodings"] == events + 1  # the one is the failed try, which its bidder alone sees whole


def test_the_list_of_bidders_is_kept_once_for_all_of_them() -> None:
    story = Story(a_plan(), bids=50).to_checkin().to_t0()
    room = Room(SESSION)
    room.add(story.records)
    listed = next(record.number for record in story.records if type(record.event).__name__ == "BiddersListed")
    for number in (1, 50):
        audience = Audience(Role.BIDDER, bidder_id(number))
        message = json.loads(room.facts(audience, listed - 1, 1)[0])
        assert message["patch"]["own"] == {"row": number}
        own = room.lane(audience)
        assert isinstance(own, lanes.OwnLane)
        assert not own._whole


def test_a_snapshot_is_made_once_a_number() -> None:
    room = a_room()
    first = room.snapshot(PUBLIC)
    assert room.snapshot(PUBLIC) is first
    assert first.etag == f'"{len(full_story().records)}-{full_story().records[-1].digest}"'


# -- signals -------------------------------------------------------------------------------------------------


def test_only_the_latest_of_a_kind_is_told() -> None:
    room = a_room()
    watcher = Watcher(PUBLIC, after=room.number)
    for count in (1, 2, 3):
        room.signal("watching", {"count": count})
    assert watcher.take(room) == b'{"signal":"watching","count":3}\n'
    assert watcher.take(room) == b""


def test_a_signal_for_some_reaches_only_them() -> None:
    room = a_room()
    watchers = {audience.key: Watcher(audience, after=room.number) for audience in (PUBLIC, BIDDER)}
    room.signal("seats:x", {"devices": 2}, to=frozenset({BIDDER.key}))
    assert watchers["public"].take(room) == b""
    assert watchers[BIDDER.key].take(room) == b'{"signal":"seats","devices":2}\n'


def test_a_newcomer_hears_no_old_beat() -> None:
    room = a_room()
    old = Watcher(PUBLIC, after=room.number)
    room.signal("watching", {"count": 1})
    assert old.take(room)
    room.signal("beat", {"now": "x"})
    assert b"beat" in old.take(room)
    assert b"beat" not in Watcher(PUBLIC, after=room.number).take(room)


def test_a_signal_comes_after_the_facts_that_were_waiting() -> None:
    room = a_room()
    room.signal("watching", {"count": 1})
    taken = everything(room, PUBLIC, room.number - 8).splitlines()
    assert [b'"signal"' in line for line in taken] == [False] * 8 + [True]
