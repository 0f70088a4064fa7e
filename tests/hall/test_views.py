"""What each audience sees: the same story for all, less what is not theirs, and never a price before its time."""

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hall.rooms.lane import encode
from hall.rooms.room import Room
from hall.views import parts
from hall.views.audience import Audience
from hall.views.kept import Kept
from hall.views.patch import apply, without_nulls
from hall.views.seen import view
from sessions.announcing.rulebook import load
from sessions.events import Recorded, RowConfirmed
from sessions.opening import Status, evolve
from sessions.opening.state import Chair
from sessions.roles import Role
from tests.support.ceremony import HOST
from tests.support.fake_clock import T0 as MOMENT
from tests.support.hall_story import SESSION, Story, a_full_story, a_plan, bidder_id, price, wander
from tests.support.locked import Locked, a_locked_plan

PUBLIC = Audience(Role.PUBLIC)
STAFF = [Audience(role) for role in (Role.HOST, Role.DEPUTY, Role.SUPERVISOR)]
BIDDERS = [Audience(Role.BIDDER, bidder_id(number)) for number in (1, 2, 3, 5)]
STRANGER = Audience(Role.BIDDER, bidder_id(99))
AUDIENCES = [PUBLIC, *STAFF, *BIDDERS, STRANGER]

full_story = cache(a_full_story)


def on_the_wire(value: Any) -> Any:
    return without_nulls(json.loads(encode(value)))


def each_fact(records: list[Recorded], audience: Audience) -> list[dict[str, Any]]:
    room = Room(SESSION)
    room.add(records)
    return [json.loads(message) for message in room.facts(audience, 0, len(records))]


def assert_patches_lead_to_every_view(records: list[Recorded]) -> None:
    room, held, opening = Room(SESSION), {audience: {} for audience in AUDIENCES}, None
    for record in records:
        room.add([record])
        opening = evolve(opening, record)
        for audience in AUDIENCES:
            (message,) = room.facts(audience, record.number - 1, 1)
            held[audience] = apply(held[audience], json.loads(message)["patch"])
            fresh = view(opening, audience, record.number, record.at, record.digest)
            assert held[audience] == on_the_wire(fresh), (record.number, audience.key)
            assert on_the_wire(room.snapshot(audience).view) == on_the_wire(fresh)


def test_an_old_snapshot_and_the_patches_since_make_a_fresh_one() -> None:
    assert_patches_lead_to_every_view(full_story().records)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 400), max_size=40), st.integers(0, 5))
def test_they_do_in_any_ceremony(choices: list[int], bids: int) -> None:
    assert_patches_lead_to_every_view(wander(choices, bids).records)


@pytest.mark.parametrize("audience", AUDIENCES, ids=lambda audience: audience.key)
def test_a_reader_that_comes_late_gets_the_same_bytes(audience: Audience) -> None:
    live, cold = Room(SESSION), Room(SESSION)
    live.lane(audience)
    for record in full_story().records:
        live.add([record])
    cold.add(full_story().records)
    assert live.facts(audience, 0, 1000) == cold.facts(audience, 0, 1000)


# -- what must not be there ----------------------------------------------------------------------------------

SEEN_BY = {
    "AttemptFailed": {Role.BIDDER},  # and only by the bidder whose attempt it was
    "ObjectionRaised": {Role.BIDDER, *(audience.role for audience in STAFF)},
    "ObjectionAnswered": {Role.BIDDER, *(audience.role for audience in STAFF)},
    "SupervisorNoted": {Role.SUPERVISOR},
}

MEMBERS = {"n", "at", "type", "actor", "data", "prev", "digest", "private_digest", "words", "patch"}


def test_what_an_event_did_not_touch_is_not_made_again() -> None:
    kept, opening, before = Kept(), None, dict[str, Any]()
    pieces = ("session", "steps", "fields", "chairs", "watch", "locks")
    confirmed = 0
    for record in full_story().records:
        opening = evolve(opening, record)
        after = view(opening, PUBLIC, record.number, record.at, record.digest, kept=kept)
        if isinstance(record.event, RowConfirmed):
            confirmed += 1
            assert [name for name in pieces if after[name] is not before[name]] == []
        before = after
    assert confirmed


def test_the_story_has_nearly_every_event_there_is() -> None:
    told = {type(record.event).__name__ for record in full_story().records}
    assert len(told) >= 29


@pytest.mark.parametrize("audience", AUDIENCES, ids=lambda audience: audience.key)
def test_a_message_has_only_the_members_it_may_have(audience: Audience) -> None:
    for message in each_fact(full_story().records, audience):
        if audience.role in SEEN_BY.get(message["type"], set()):
            assert message.keys() - {"private"} == MEMBERS
        else:
            assert message.keys() == MEMBERS, message["type"]


@pytest.mark.parametrize("audience", AUDIENCES, ids=lambda audience: audience.key)
def test_why_a_try_failed_is_told_to_nobody_else_before_the_barrier(audience: Audience) -> None:
    for message in each_fact(full_story().records, audience):
        if message["type"] == "BarrierPassed":
            break
        mine = message["type"] == "AttemptFailed" and message["data"]["bidder"] == audience.bidder
        text = json.dumps(message)
        assert ("locked" in text or "wrong_password" in text or "bad_signature" in text) == mine


def test_the_barrier_tells_everyone_why() -> None:
    barrier = next(m for m in each_fact(full_story().records, PUBLIC) if m["type"] == "BarrierPassed")
    assert barrier["patch"]["bids"]["3"]["failure"] == "locked"


@pytest.mark.parametrize("audience", AUDIENCES, ids=lambda audience: audience.key)
def test_no_price_is_anywhere_before_its_bid_is_opened(audience: Audience) -> None:
    records = full_story().records
    room = Room(SESSION)
    for record in records:
        if type(record.event).__name__ == "BidOpened":
            return
        room.add([record])
        everything = room.facts(audience, 0, 1000)[-1] + room.snapshot(audience).body
        assert not any(price(number).encode() in everything for number in range(1, 6))
    raise AssertionError("no bid was ever opened")


@pytest.mark.parametrize(
    ("secret", "readers"),
    [
        ("密記甲", {"supervisor"}),
        ("密異議", {"host", "deputy", "supervisor", *(audience.key for audience in [*BIDDERS, STRANGER])}),
        ("密答乙", {"host", "deputy", "supervisor", *(audience.key for audience in [*BIDDERS, STRANGER])}),
    ],
)
def test_a_text_reaches_only_those_whom_the_matrix_names(secret: str, readers: set[str]) -> None:
    reached = {
        audience.key
        for audience in AUDIENCES
        if any(secret in json.dumps(m, ensure_ascii=False) for m in each_fact(full_story().records, audience))
    }
    assert reached == readers


@pytest.mark.parametrize("audience", AUDIENCES, ids=lambda audience: audience.key)
def test_before_t0_nothing_tells_how_many_have_bid(audience: Audience) -> None:
    seen = []
    for bids in (0, 1, 12):
        story = Story(bids=bids).to_checkin().seat_staff()
        room = Room(SESSION)
        room.add(story.records)
        seen.append((room.facts(audience, 0, 1000), room.snapshot(audience).body))
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("bids", [0, 1, 2])
@pytest.mark.parametrize("audience", [PUBLIC, *STAFF, STRANGER], ids=lambda audience: audience.key)
def test_an_opening_that_fails_names_nobody(audience: Audience, bids: int) -> None:
    story = Story(bids=bids).to_checkin().seat_staff().to_t0()
    assert story.opening is not None
    assert story.opening.status is Status.FAILED
    text = json.dumps(each_fact(story.records, audience), ensure_ascii=False)
    assert "秘密" not in text
    assert not any(bidder_id(number) in text for number in (1, 2))
    failed = each_fact(story.records, audience)[-1]["patch"]["failed"]
    assert (failed["received"], failed["minimum"]) == (bids, 3)
    assert failed["article"]["id"] == story.opening.plan.pack.minimum_article


@pytest.mark.parametrize("seated", [(), (Role.HOST,), (Role.HOST, Role.SUPERVISOR)])
def test_a_view_says_which_chairs_the_rules_still_want(seated: tuple[Role, ...]) -> None:
    taken = tuple(Chair(role=role, account=role, name=role, at=MOMENT) for role in seated)
    pack = load("intl-two-role")
    acting = seated[0] if seated else None
    assert parts.chairs(taken, acting, pack)["required"] == {
        role: role in seated for role in (Role.HOST, Role.SUPERVISOR)
    }


def test_an_officer_who_is_not_here_is_absent_whatever_its_key_did_before() -> None:
    story = Locked(a_locked_plan())
    story.ready(HOST, "host")
    before = view(story.it, PUBLIC, 1, MOMENT, "")["locks"]["host"]["officers"]["1"]
    assert (before["state"], "before" in before) == ("ready", False)
    officer = view(story.frozen().it, PUBLIC, 1, MOMENT, "")["locks"]["host"]["officers"]["1"]
    assert (officer["state"], officer["before"]) == ("absent", {"state": "ready", "at": before["at"]})


def test_a_bidder_finds_its_own_row() -> None:
    room = Room(SESSION)
    room.add(full_story().records)
    assert room.snapshot(BIDDERS[1]).view["own"] == {"bidder": bidder_id(2), "row": 2}
    assert "own" not in room.snapshot(PUBLIC).view


def test_the_matrix_and_nothing_else_hides_the_price() -> None:
    everyone = a_plan().pack.visibility["quote"]
    assert all(not roles for phase, roles in everyone.items() if phase in ("before", "listed", "decrypt"))
