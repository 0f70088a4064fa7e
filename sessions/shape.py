"""Values to and from canonical JSON, by the declared types of their fields. Strict both ways: nothing is guessed.

Moments are RFC 3339 in UTC with milliseconds, durations integers of milliseconds, sets sorted lists.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, NewType, TypeVar

T = TypeVar("T")

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")
_MS = timedelta(milliseconds=1)


class Misshapen(ValueError):
    """JSON that is not the declared shape: ``where`` names the place, such as ``plan.windows.decrypt``."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where or 'the value'}: {what}")
        self.where = where
        self.what = what


def rfc3339(moment: datetime) -> str:
    """Return ``2026-11-21T01:00:00.000Z``. The moment must be aware and of whole milliseconds."""
    if moment.tzinfo is None or moment.microsecond % 1000:
        raise Misshapen("", f"{moment!r} is not an aware moment of whole milliseconds")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: object, where: str = "") -> datetime:
    """Return the moment that ``rfc3339`` wrote; no other form is taken."""
    if not isinstance(text, str) or not _MOMENT.fullmatch(text):
        raise Misshapen(where, "not a UTC moment with milliseconds")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise Misshapen(where, "no such moment") from error


def to_json(value: object, where: str = "") -> Any:
    """Return ``value`` as what crypto.encoding.canonical takes; floats and unknown types are refused."""
    match value:
        case None | bool() | int():
            return value
        case StrEnum():
            return value.value
        case str():
            return value
        case datetime():
            return rfc3339(value)
        case timedelta():
            return _milliseconds(value, where)
        case tuple() | list():
            return [to_json(item, f"{where}[]") for item in value]
        case frozenset():
            return sorted(to_json(item, f"{where}[]") for item in value)
        case Mapping():
            return {_key(key, where): to_json(item, _at(where, str(key))) for key, item in value.items()}
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = (field.name for field in dataclasses.fields(value))
            return {name: to_json(getattr(value, name), _at(where, name)) for name in names}
        case _:
            raise Misshapen(where, f"{type(value).__name__} has no JSON form")


def from_json(kind: type[T], data: object, where: str = "") -> T:
    """Return the ``kind`` that ``data`` spells; raise ``Misshapen`` for anything missing, unknown or ill-typed.

    A field with a default may be missing, so that a record of last year still reads.
    """
    value: T = _read(kind, data, where)
    return value


def _read(kind: Any, data: object, where: str) -> Any:
    if isinstance(kind, NewType):
        return _read(kind.__supertype__, data, where)
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if data is None and type(None) in args:
            return None
        (inner,) = (arg for arg in args if arg is not type(None))
        return _read(inner, data, where)
    if origin is tuple:
        return tuple(_read(args[0], item, f"{where}[{index}]") for index, item in enumerate(_list(data, where)))
    if origin is frozenset:
        return frozenset(_read(args[0], item, f"{where}[]") for item in _list(data, where))
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(args, data, where)
    return _scalar(kind, data, where)


def _scalar(kind: Any, data: object, where: str) -> Any:
    if kind is object:
        return _free(data, where)
    if kind is datetime:
        return moment(data, where)
    if kind is timedelta:
        return timedelta(milliseconds=_read(int, data, where))
    if dataclasses.is_dataclass(kind):
        return _fields(kind, data, where)
    if issubclass(kind, StrEnum):
        try:
            return kind(_read(str, data, where))
        except ValueError as error:
            raise Misshapen(where, f"not one of {', '.join(kind)}") from error
    if kind not in (str, int, bool) or type(data) is not kind:
        raise Misshapen(where, f"not a {kind.__name__}")
    return data


def _fields(kind: Any, data: object, where: str) -> Any:
    if not isinstance(data, Mapping):
        raise Misshapen(where, "not an object")
    fields = _declared(kind)
    unknown = sorted(str(name) for name in data.keys() - fields.keys())
    missing = sorted(name for name, (_, required) in fields.items() if required and name not in data)
    if unknown or missing:
        raise Misshapen(
            where,
            "; ".join(
                f"{word}: {', '.join(names)}" for word, names in (("unknown", unknown), ("missing", missing)) if names
            ),
        )
    return kind(**{name: _read(fields[name][0], item, _at(where, name)) for name, item in data.items()})


@cache
def _declared(kind: Any) -> dict[str, tuple[Any, bool]]:
    hints = typing.get_type_hints(kind)
    missing = dataclasses.MISSING
    return {
        field.name: (hints[field.name], field.default is missing and field.default_factory is missing)
        for field in dataclasses.fields(kind)
    }


def _mapping(args: tuple[Any, ...], data: object, where: str) -> dict[Any, Any]:
    if not isinstance(data, Mapping):
        raise Misshapen(where, "not an object")
    return {_read(args[0], key, where): _read(args[1], item, _at(where, str(key))) for key, item in data.items()}


def _free(data: object, where: str) -> object:
    match data:
        case None | bool() | int() | str():
            return data
        case list() | tuple():
            return [_free(item, f"{where}[]") for item in data]
        case Mapping():
            return {_key(key, where): _free(item, _at(where, str(key))) for key, item in data.items()}
        case _:
            raise Misshapen(where, f"{type(data).__name__} has no JSON form")


def _list(data: object, where: str) -> list[object] | tuple[object, ...]:
    if not isinstance(data, list | tuple):
        raise Misshapen(where, "not a list")
    return data


def _key(key: object, where: str) -> str:
    if not isinstance(key, str):
        raise Misshapen(where, "member names are strings")
    return key.value if isinstance(key, StrEnum) else key


def _milliseconds(value: timedelta, where: str) -> int:
    if value % _MS:
        raise Misshapen(where, "a duration has whole milliseconds")
    return value // _MS


def _at(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
