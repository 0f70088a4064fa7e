"""Events and commands as JSON, by class name. An unknown type or field is refused: a reader never guesses."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

from sessions import commands
from sessions.commands import IntakeCommand, OpeningCommand, RecordingCommand
from sessions.events import Event
from sessions.shape import Misshapen, from_json, to_json

Command = IntakeCommand | OpeningCommand | RecordingCommand

_EVENTS: dict[str, type[Any]] = {kind.__name__: kind for kind in typing.get_args(Event)}
_COMMANDS: dict[str, type[Any]] = {kind.__name__: kind for kind in typing.get_args(Command)}

BY_PEOPLE: frozenset[str] = frozenset(
    kind.__name__
    for kind in (
        commands.WithdrawBid,
        commands.CheckIn,
        commands.TakeChair,
        commands.Advance,
        commands.ExtendWindow,
        commands.Pause,
        commands.Resume,
        commands.Postpone,
        commands.Abort,
        commands.RuleCause,
        commands.Approve,
        commands.Decline,
        commands.Note,
        commands.ReportFailure,
        commands.ReadyOfficer,
        commands.MissLock,
        commands.RequestEscrow,
        commands.GrantEscrow,
        commands.CommitDraw,
        commands.RevealDraw,
        commands.RepeatDraw,
        commands.ConfirmRow,
        commands.DisputeRow,
        commands.Object,
        commands.NoObjection,
        commands.AnswerObjection,
        commands.AskFloor,
        commands.GrantFloor,
        commands.EndFloor,
        commands.SignRecord,
    )
)
"""What may come in through the door. The others carry results of checks that only the hall makes."""


def event_to_json(event: Event) -> tuple[str, dict[str, Any], Any | None]:
    """Return type name, data and private part. Only the data enters the chain; the rest by commitment."""
    data = to_json(event)
    private = data.pop("private", None)
    return type(event).__name__, data, private


def event_from_json(name: str, data: Mapping[str, object], private: object | None) -> Event:
    """Return the event; raise ``Misshapen`` for an unknown type, field or form, or a missing private part."""
    kind = _EVENTS.get(name)
    if kind is None:
        raise Misshapen("type", f"no event is called {name}")
    if "private" in data:
        raise Misshapen(f"{name}.private", "does not belong in the data")
    event: Event = from_json(kind, data if private is None else {**data, "private": private}, name)
    return event


def has_private(name: str) -> bool:
    """Return whether events of this type have a private part."""
    return "private" in _EVENTS[name].__dataclass_fields__


def command_to_json(command: Command) -> tuple[str, dict[str, Any]]:
    """Return a command's name and fields."""
    return type(command).__name__, to_json(command)


def command_from_json(name: str, fields: Mapping[str, object]) -> Command:
    """Return the command that somebody sent; raise ``Misshapen`` unless people may send it in just this form."""
    if name not in BY_PEOPLE:
        raise Misshapen("command", "no command that may be sent")
    if "proof" in fields:
        raise Misshapen(f"{name}.proof", "is for the hall to find")
    command: Command = from_json(_COMMANDS[name], fields, name)
    return command
