"""Events and commands as JSON and back, every type, and nothing guessed."""

from __future__ import annotations

import typing
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.encoding import canonical, parse_strict
from sessions import commands, events
from sessions.codec import (
    BY_PEOPLE,
    command_from_json,
    command_to_json,
    event_from_json,
    event_to_json,
    has_private,
)
from sessions.commands import Advance, Postpone, TakeChair
from sessions.ids import Digest, StepId
from sessions.shape import Misshapen, moment, rfc3339
from tests.support.ceremony import MS, T0

EVENTS = typing.get_args(events.Event)
COMMANDS = [kind for kind in typing.get_args(commands.OpeningCommand | commands.IntakeCommand)
            if kind.__name__ in BY_PEOPLE]  # fmt: skip

moments = st.integers(0, 10**12).map(lambda ms: T0 + ms * MS)
free = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
st.register_type_strategy(datetime, moments)
st.register_type_strategy(int, st.integers(0, 2**53 - 1))
st.register_type_strategy(str, st.text(max_size=12))
st.register_type_strategy(object, free)


def built(kind: type[Any]) -> st.SearchStrategy[Any]:
    return st.from_type(kind)


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_every_event_survives_the_log(kind: type[Any]) -> None:
    @given(event=built(kind))
    def survives(event: Any) -> None:
        name, data, private = event_to_json(event)
        assert (private is not None) == has_private(name)
        stored = parse_strict(canonical({"data": data, "private": private}), limit=10**7)
        assert event_from_json(name, stored["data"], stored["private"]) == event

    survives()


def test_a_member_that_came_later_is_left_out_while_it_has_no_value() -> None:
    """Or every event that an earlier version chained would have another digest now."""
    frozen = events.SetFrozen(
        received=0,
        headers=(),
        root=Digest("a" * 64),
        intake_head=Digest("b" * 64),
        intake_length=2,
        session_key="BKey",
        clock_offset_ms=None,
        private={"bids": []},
    )
    _, data, _ = event_to_json(frozen)
    assert data.keys() == {
        *("received", "headers", "root", "intake_head", "intake_length", "session_key", "clock_offset_ms"),
    }
    logged = replace(frozen, intake_log_size=16, intake_log_root=Digest("c" * 64))
    assert event_to_json(logged)[1].items() >= {("intake_log_size", 16), ("intake_log_root", "c" * 64)}


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_every_command_of_a_person_survives_the_door(kind: type[Any]) -> None:
    @given(command=built(kind))
    def survives(command: Any) -> None:
        sent = replace(command, proof=None) if hasattr(command, "proof") else command
        name, fields = command_to_json(sent)
        assert command_from_json(name, parse_strict(canonical(fields))) == sent

    survives()


@pytest.mark.parametrize("kind", [kind for kind in COMMANDS if "proof" in kind.__dataclass_fields__])
def test_what_the_hall_finds_out_about_a_certificate_is_not_taken_from_a_sender(kind: type[Any]) -> None:
    @given(command=built(kind).filter(lambda command: command.proof is not None))
    def is_refused(command: Any) -> None:
        name, fields = command_to_json(command)
        with pytest.raises(Misshapen):
            command_from_json(name, fields)

    is_refused()


@pytest.mark.parametrize(
    ("name", "data", "private", "where"),
    [
        ("NoSuchEvent", {}, None, "type"),
        ("NoneDeclared", {"bidder": "A", "more": 1}, None, "NoneDeclared"),
        ("NoneDeclared", {}, None, "NoneDeclared"),
        ("NoneDeclared", {"bidder": 1}, None, "NoneDeclared.bidder"),
        ("NoneDeclared", {"bidder": "A", "private": {}}, None, "NoneDeclared.private"),
        ("NoneDeclared", {"bidder": "A"}, {"text": "x"}, "NoneDeclared"),
        ("SupervisorNoted", {}, None, "SupervisorNoted"),
        ("SupervisorNoted", {}, {"text": 1}, "SupervisorNoted.private.text"),
        ("ChairTaken", {"role": "king", "account": "a", "name": "b"}, None, "ChairTaken.role"),
        ("SessionPaused", {"reason": "x", "incident": 1}, None, "SessionPaused.incident"),
        ("OpeningFailed", {"received": True, "minimum": 3}, None, "OpeningFailed.received"),
        ("StepEntered", {"step": "list", "due": "2026-11-21T01:00:00Z"}, None, "StepEntered.due"),
        ("StepEntered", {"step": "list", "due": "2026-13-21T01:00:00.000Z"}, None, "StepEntered.due"),
        ("StepCompleted", {"step": "list", "missing": "A"}, None, "StepCompleted.missing"),
        ("StepCompleted", {"step": "list", "missing": ["A", 2]}, None, "StepCompleted.missing[1]"),
        ("SessionScheduled", {"plan": {"x": 1.5}}, None, "SessionScheduled.plan.x"),
    ],
)
def test_what_is_not_the_declared_shape_is_refused_with_its_place(
    name: str, data: dict[str, Any], private: Any, where: str
) -> None:
    with pytest.raises(Misshapen) as no:
        event_from_json(name, data, private)
    assert no.value.where == where


@pytest.mark.parametrize(
    "name", ["Tick", "CloseIntake", "RecordOpenings", "RecordRelease", "SubmitBid", "Schedule", "x"]
)
def test_what_only_the_hall_may_decide_does_not_come_through_the_door(name: str) -> None:
    with pytest.raises(Misshapen):
        command_from_json(name, {})


def test_a_field_with_a_default_may_be_left_out() -> None:
    assert command_from_json("TakeChair", {}) == TakeChair()
    assert command_from_json("Advance", {"step": "decrypt"}) == Advance(step=StepId("decrypt"))
    assert command_to_json(Postpone(t0=T0, reason="x")) == (
        "Postpone",
        {"t0": "2026-11-21T01:00:00.000Z", "reason": "x"},
    )


def test_moments_have_one_form_and_whole_milliseconds() -> None:
    assert rfc3339(T0 + 7 * MS) == "2026-11-21T01:00:00.007Z"
    assert moment("2026-11-21T01:00:00.007Z") == T0 + 7 * MS
    with pytest.raises(Misshapen):
        rfc3339(T0.replace(microsecond=1))
    with pytest.raises(Misshapen):
        rfc3339(T0.replace(tzinfo=None))
