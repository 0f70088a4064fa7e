"""RFC 7396 JSON merge patches between two views.

A merge patch cannot tell an absent member from a null one, so here both mean the same, and lists change as a whole
(which is why a view has objects where members change).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

Json = Mapping[str, Any]


def diff(old: Json, new: Json) -> dict[str, Any]:
    """Return the smallest merge patch that turns ``old`` into ``new``; nothing of either is copied or changed."""
    patch: dict[str, Any] = {}
    for name, after in new.items():
        before = old.get(name)
        if before is after:
            continue
        if after is None:
            patch[name] = None
        elif _is_object(after):
            inner = diff(before if _is_object(before) else {}, after)
            if inner or not _is_object(before):
                patch[name] = inner
        elif before != after or type(before) is not type(after):  # 1 == True in Python, but not on the wire
            patch[name] = after
    if not old.keys() <= new.keys():
        patch |= {name: None for name, before in old.items() if before is not None and name not in new}
    return patch


def _is_object(value: object) -> TypeGuard[Json]:
    return type(value) is dict or (type(value) not in _LEAVES and isinstance(value, Mapping))


_LEAVES = frozenset({str, int, bool, list, type(None)})  # most members are: to ask the ABC takes five times as long


def apply(target: object, patch: object) -> Any:
    """Return ``target`` after ``patch`` (RFC 7396 section 2); unchanged branches are shared, not copied."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = apply(result.get(name), value)
    return result


def without_nulls(value: Any) -> Any:
    """Return ``value`` as a reader that knows only patches would hold it: without null members."""
    if not isinstance(value, Mapping):
        return value
    return {name: without_nulls(item) for name, item in value.items() if item is not None}
