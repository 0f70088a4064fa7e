"""Values to and from canonical JSON, by the declared types of their fields. Strict both ways: nothing is guessed.

Moments are RFC 3339 in UTC with milliseconds, durations integers of milliseconds, sets sorted lists.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, NewType, TypeVar

T = TypeVar("T")
Reader = Callable[[object], Any]
Writer = Callable[[Any], Any]

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")
_MS = timedelta(milliseconds=1)

LATER: Mapping[str, bool] = {"later": True}
"""Metadata of a field that came after its class was first written: ``field(default=None, metadata=LATER)``.

While it is None it is not in the JSON, so what an earlier version recorded is written the same and keeps its digest.
"""


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


def moment(text: object) -> datetime:
    """Return the moment that ``rfc3339`` wrote; no other form is taken."""
    if not isinstance(text, str) or not _MOMENT.fullmatch(text):
        raise Misshapen("", "not a UTC moment with milliseconds")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise Misshapen("", "no such moment") from error


def to_json(value: Any, where: str = "") -> Any:
    """Return ``value`` as what crypto.encoding.canonical takes; floats and unknown types are refused."""
    return _inside(where, _writer(value.__class__), value)


@cache
def _writer(kind: Any) -> Writer:
    """Return what writes values of just this type. Made once per type: each event is written several times."""
    if issubclass(kind, int | types.NoneType):
        return lambda value: value
    if issubclass(kind, StrEnum):
        return lambda value: value.value
    if issubclass(kind, str):
        return lambda value: value
    if issubclass(kind, datetime):
        return rfc3339
    if issubclass(kind, timedelta):
        return _milliseconds
    if issubclass(kind, tuple | list):
        return lambda value: [_inside("[]", _writer(item.__class__), item) for item in value]
    if issubclass(kind, frozenset):
        return lambda value: sorted(_inside("[]", _writer(item.__class__), item) for item in value)
    if issubclass(kind, Mapping):
        return lambda value: {
            _key(key): _inside(str(key), _writer(item.__class__), item) for key, item in value.items()
        }
    if dataclasses.is_dataclass(kind):
        return _fields_writer(kind)
    return _nothing


def _fields_writer(kind: Any) -> Writer:
    fields = [(field.name, "later" in field.metadata) for field in dataclasses.fields(kind)]

    def write(value: object) -> dict[str, Any]:
        parts = ((name, getattr(value, name), later) for name, later in fields)
        return {
            name: _inside(name, _writer(part.__class__), part)
            for name, part, later in parts
            if part is not None or not later
        }

    return write


def _nothing(value: object) -> Any:
    raise Misshapen("", f"{type(value).__name__} has no JSON form")


def from_json(kind: type[T], data: object, where: str = "") -> T:
    """Return the ``kind`` that ``data`` spells; raise ``Misshapen`` for anything missing, unknown or ill-typed.

    A field with a default may be missing, so that a record of last year still reads.
    """
    declared: Any = kind
    value: T = _inside(where, _reader(declared), data)
    return value


def _inside(where: str, read: Reader | Writer, data: Any) -> Any:
    """Read or write a part; a complaint from inside it learns here where it is."""
    try:
        return read(data)
    except Misshapen as error:
        path = f"{where}{'.' if where and error.where[:1] not in ('', '[') else ''}{error.where}"
        raise Misshapen(path, error.what) from None


@cache
def _reader(kind: Any) -> Reader:
    """Return the reader of a declared type. Made once per type: a plan has thousands of values."""
    if isinstance(kind, NewType):
        return _reader(kind.__supertype__)
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        (inner,) = (_reader(arg) for arg in args if arg is not type(None))
        return lambda data: None if data is None else inner(data)
    if origin in (tuple, frozenset):
        item = _reader(args[0])
        return lambda data: origin(_inside(f"[{index}]", item, one) for index, one in enumerate(_list(data)))
    if origin is not None and issubclass(origin, Mapping):
        return _mapping_reader(_reader(args[0]), _reader(args[1]))
    if dataclasses.is_dataclass(kind):
        return _fields_reader(kind)
    return _scalar_reader(kind)


def _scalar_reader(kind: Any) -> Reader:
    if kind is object:
        return _free
    if kind is datetime:
        return moment
    if kind is timedelta:
        return lambda data: timedelta(milliseconds=_reader(int)(data))
    if issubclass(kind, StrEnum):
        members = {member.value: member for member in kind}
        return lambda data: _member(members, data)
    return lambda data: _exactly(kind, data)


def _exactly(kind: type[T], data: object) -> T:
    if type(data) is not kind:
        raise Misshapen("", f"not a {kind.__name__}")
    return data


def _member(members: Mapping[str, StrEnum], data: object) -> StrEnum:
    if not isinstance(data, str) or data not in members:
        raise Misshapen("", f"not one of {', '.join(members)}")
    return members[data]


def _fields_reader(kind: Any) -> Reader:
    hints = typing.get_type_hints(kind)
    absent = dataclasses.MISSING
    readers = {field.name: _reader(hints[field.name]) for field in dataclasses.fields(kind)}
    required = {
        field.name
        for field in dataclasses.fields(kind)
        if field.default is absent and field.default_factory is absent
    }

    def read(data: object) -> Any:
        form = _object(data)
        if not required <= form.keys() <= readers.keys():
            unknown, missing = sorted(form.keys() - readers.keys()), sorted(required - form.keys())
            raise Misshapen("", f"unknown: {', '.join(unknown) or '-'}; missing: {', '.join(missing) or '-'}")
        return kind(**{name: _inside(name, readers[name], value) for name, value in form.items()})

    return read


def _mapping_reader(key: Reader, value: Reader) -> Reader:
    return lambda data: {_inside("", key, name): _inside(name, value, item) for name, item in _object(data).items()}


def _object(data: object) -> Mapping[str, object]:
    if not isinstance(data, Mapping) or not all(isinstance(name, str) for name in data):
        raise Misshapen("", "not an object")
    return data


def _free(data: object) -> object:
    match data:
        case None | bool() | int() | str():
            return data
        case list() | tuple():
            return [_inside(f"[{index}]", _free, item) for index, item in enumerate(data)]
        case Mapping():
            return {name: _inside(name, _free, item) for name, item in _object(data).items()}
        case _:
            raise Misshapen("", f"{type(data).__name__} has no JSON form")


def _list(data: object) -> list[object] | tuple[object, ...]:
    if not isinstance(data, list | tuple):
        raise Misshapen("", "not a list")
    return data


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise Misshapen("", "member names are strings")
    return key.value if isinstance(key, StrEnum) else key


def _milliseconds(value: timedelta) -> int:
    if value % _MS:
        raise Misshapen("", "a duration has whole milliseconds")
    return value // _MS
