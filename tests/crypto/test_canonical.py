"""Canonical JSON is RFC 8785, whichever writer wrote it."""

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from crypto.encoding import MAX_INTEGER, canonical, parse_canonical
from crypto.errors import EncodingRefused

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXTS,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(TEXTS, inside, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_it_is_what_the_library_of_the_rfc_writes_and_reads_back(value: object) -> None:
    written = canonical(value)
    assert written == rfc8785.dumps(value)  # type: ignore[arg-type]  # JSON of any form
    assert parse_canonical(written) == value


def test_names_beyond_the_first_plane_are_ordered_by_utf_16() -> None:
    assert canonical({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"a":9007199254740992}', "malformed_json"),
        ('{"a":[-9007199254740992]}', "malformed_json"),
        ('{"a":[1,10000000000000000000000]}', "malformed_json"),
        ('{"a":-0}', "malformed_json"),
        ('{"a":1.5}', "malformed_json"),
        ('{"a":1e3}', "malformed_json"),
        ('{"a":NaN}', "malformed_json"),
        ('{"a":1,"a":1}', "malformed_json"),
        ('{"a":1}{"a":1}', "malformed_json"),
        ('{"b":1,"a":1}', "not_canonical"),
        ('{"a": 1}', "not_canonical"),
        ('{"a":1}\n', "not_canonical"),
        ('{"a":"\\u0041"}', "not_canonical"),
        ('{"a":' + 16 * "[" + 16 * "]" + "}", "malformed_json"),
    ],
)
def test_what_is_not_canonical_is_refused_by_the_rule_it_breaks(text: str, code: str) -> None:
    with pytest.raises(EncodingRefused) as refused:
        parse_canonical(text.encode())
    assert refused.value.code == code


@pytest.mark.parametrize(
    "text",
    [
        '{"a":9007199254740991}',
        '{"a":[-9007199254740991]}',
        '{"a":"b:9007199254740992"}',
        '{"a":' + 15 * "[" + 15 * "]" + "}",
    ],
)
def test_what_is_canonical_at_the_very_limits_is_read(text: str) -> None:
    assert canonical(parse_canonical(text.encode())) == text.encode()
