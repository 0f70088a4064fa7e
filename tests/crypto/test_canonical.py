"""Canonical JSON is RFC 8785, whichever writer wrote it."""

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from crypto.encoding import MAX_INTEGER, canonical, parse_canonical

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
