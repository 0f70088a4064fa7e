"""What LIFECYCLE.md says of commands and events is what the code knows: none more, none fewer, by the same people."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import sessions
from sessions import commands, events
from sessions.opening.authority import RIGHTS
from sessions.roles import Role

PAGE = (Path(sessions.__file__).parent / "LIFECYCLE.md").read_text("utf-8")
NAMED = set(re.findall(r"\b[A-Z]\w+", PAGE))
COLUMNS = (Role.CLOCK, Role.BIDDER, Role.HOST, Role.DEPUTY, Role.SUPERVISOR)


def the_table() -> dict[str, set[Role]]:
    """Who may send each command, by the table of the page."""
    table = PAGE.partition("## Commands and who may send them")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("| ")]
    said: dict[str, set[Role]] = {}
    for names, *marks, _ in rows[2:]:
        roles = {role for role, mark in zip(COLUMNS, marks, strict=True) if mark}
        for name in re.findall(r"[A-Z]\w+", names.partition("(")[0]):
            said.setdefault(name, set()).update(roles)
    return said


def test_the_page_names_every_event() -> None:
    streams = (events.OpeningEvent, events.IntakeEvent, events.RecordingEvent)
    assert {kind.__name__ for stream in streams for kind in get_args(stream)} - NAMED == set()


def test_every_command_is_in_the_table() -> None:
    families = (commands.OpeningCommand, commands.IntakeCommand, commands.RecordingCommand)
    assert the_table().keys() == {kind.__name__ for family in families for kind in get_args(family)}


def test_the_table_lets_nobody_do_more_or_less_than_the_rules() -> None:
    said = the_table()
    assert {kind.__name__: said[kind.__name__] for kind in RIGHTS} == {
        kind.__name__: set(right.roles) for kind, right in RIGHTS.items()
    }


def test_the_page_says_what_people_may_do_during_a_pause() -> None:
    sentence = re.search(r"of people only(.*?) are taken", PAGE, re.S)
    assert sentence is not None
    held = {kind.__name__ for kind, right in RIGHTS.items() if right.held and right.roles != {Role.CLOCK}}
    assert set(re.findall(r"`(\w+)`", sentence[1])) == held
