"""Merge patches, against the examples of RFC 7396 and against themselves."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hall.views.patch import apply, diff, without_nulls

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("abc", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=1), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text("abc", max_size=1), VALUES, max_size=4)

APPENDIX_A = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "result"), APPENDIX_A)
def test_the_examples_of_the_rfc_come_out(target: Any, patch: Any, result: Any) -> None:
    assert apply(target, patch) == result


@given(OBJECTS, OBJECTS)
def test_a_patch_leads_from_the_old_to_the_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert without_nulls(apply(old, diff(old, new))) == without_nulls(new)


@given(OBJECTS, OBJECTS)
def test_a_reader_that_never_saw_a_null_gets_to_the_same_place(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert apply(without_nulls(old), diff(old, new)) == without_nulls(new)


@given(OBJECTS)
def test_nothing_changed_is_an_empty_patch(value: dict[str, Any]) -> None:
    assert diff(value, apply(value, {})) == {}


@given(OBJECTS, OBJECTS)
def test_applying_changes_neither_side(old: dict[str, Any], new: dict[str, Any]) -> None:
    before, patch = repr(old), diff(old, new)
    apply(old, patch)
    assert (repr(old), patch) == (before, diff(old, new))


def test_a_true_that_was_a_one_is_a_change() -> None:
    assert diff({"a": 1}, {"a": True}) == {"a": True}


def test_only_the_row_that_changed_travels() -> None:
    old = {"bids": {"1": {"state": "waiting", "name": "甲"}, "2": {"state": "waiting", "name": "乙"}}}
    new = {"bids": {"1": {"state": "waiting", "name": "甲"}, "2": {"state": "released", "name": "乙"}}}
    assert diff(old, new) == {"bids": {"2": {"state": "released"}}}


def test_what_is_left_out_of_a_new_object_needs_no_null() -> None:
    assert diff({}, {"hold": {"reason": "x", "by": None}}) == {"hold": {"reason": "x"}}


def test_an_object_that_became_empty_is_told_from_one_that_went() -> None:
    assert diff({"a": 1}, {"a": {}}) == {"a": {}}
    assert diff({"a": {}}, {}) == {"a": None}
