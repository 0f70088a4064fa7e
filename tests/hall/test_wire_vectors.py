"""The golden messages: what the hall says today is what it said when they were recorded."""

from typing import Any, get_args

import pytest

from crypto.chain import GENESIS, commit_private, event_digest
from hall.views.patch import apply
from sessions.events import OpeningEvent
from tests.support.wire import AUDIENCES, OTHERS, from_log, read, said_to

EVERYTHING = [*AUDIENCES, *OTHERS]


@pytest.mark.parametrize("name", AUDIENCES)
def test_the_hall_says_to_each_audience_what_it_said(name: str) -> None:
    assert said_to(AUDIENCES[name], from_log(read("log"))) == read(name)


@pytest.mark.parametrize("name", OTHERS)
def test_the_hall_tells_the_public_of_other_ceremonies_what_it_told(name: str) -> None:
    recorded = read(name)
    log = recorded.pop("log")
    assert said_to(AUDIENCES["public"], from_log(log)) == recorded


@pytest.mark.parametrize("name", EVERYTHING)
def test_the_patches_lead_to_the_recorded_views(name: str) -> None:
    recorded, view = read(name), {}
    for message in recorded["messages"]:
        view = apply(view, message["patch"])
        if str(message["n"]) in recorded["views"]:
            assert view == recorded["views"][str(message["n"])]


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_audience_can_check_the_chain(name: str) -> None:
    session, prev = "zb-2026-001-1/opening", GENESIS
    for message in read(name)["messages"]:
        assert message["prev"] == prev
        prev = event_digest(core_of(message, session))
        assert message["digest"] == prev
        if "private" in message:
            shown = message["private"]
            assert commit_private(shown["salt"], shown["value"]) == message["private_digest"]


def core_of(message: dict[str, Any], stream: str) -> dict[str, Any]:
    named = {name: message[name] for name in ("n", "at", "type", "actor", "data", "prev")}
    return {**named, "stream": stream, "private": message["private_digest"]}


def test_there_is_an_example_of_every_fact() -> None:
    told = {message["type"] for name in ("public", *OTHERS) for message in read(name)["messages"]}
    assert told == {kind.__name__ for kind in get_args(OpeningEvent)}
