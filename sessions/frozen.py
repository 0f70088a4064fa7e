"""A frozen value changed by copying, where it is done tens of thousands of times."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

T = TypeVar("T")


def changed(value: T, **changes: object) -> T:
    """Return a copy of a slotted dataclass with these fields changed, as ``dataclasses.replace`` does, in a third of
    its time: slot by slot, without calling ``__init__``. So only for a class that does nothing there of its own, and
    has more than one field.
    """
    kind: Any = type(value)
    copy: T = object.__new__(kind)
    puts, every = _slots(kind)
    for put, old in zip(puts, every(value), strict=True):
        put(copy, old)
    return filled(copy, **changes)


def filled(copy: T, **changes: object) -> T:
    """Change a copy where it stands, and return it: only one that was just made, and that nobody else has seen."""
    for name, new in changes.items():
        object.__setattr__(copy, name, new)
    return copy


@cache
def _slots(kind: Any) -> tuple[tuple[Callable[[Any, Any], None], ...], Callable[[Any], tuple[Any, ...]]]:
    """What sets each field of a value, and what gets all of them at once."""
    names = [field.name for field in dataclasses.fields(kind)]
    return tuple(getattr(kind, name).__set__ for name in names), attrgetter(*names)
