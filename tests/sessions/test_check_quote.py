"""A sheet is checked strictly before it is sealed, when a repair is still free."""

import pytest

from crypto.encoding import canonical
from sessions.plan import QuoteField, Words
from sessions.quote import QuoteRefused, check_quote, read_sheet

LABEL = Words(zh="某项", en="something")
FIELDS = (
    QuoteField(id="price", kind="money", label=LABEL, currency="CNY"),
    QuoteField(id="duration", kind="integer", label=LABEL),
    QuoteField(id="start", kind="date", label=LABEL, required=False),
)
GOOD = {"price": "1280000.00", "duration": "180", "start": "2026-12-01"}


def test_a_good_sheet_is_returned() -> None:
    assert check_quote(FIELDS, canonical(GOOD)) == GOOD


def test_an_optional_field_may_be_left_out() -> None:
    sheet = {name: value for name, value in GOOD.items() if name != "start"}
    assert check_quote(FIELDS, canonical(sheet)) == sheet


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"price": "0"}, "price_not_positive", "price"),
        ({"price": "0.00"}, "price_not_positive", "price"),
        ({"price": "-1.00"}, "quote_malformed", "price"),
        ({"price": "1.001"}, "quote_malformed", "price"),
        ({"price": "1,280,000.00"}, "quote_malformed", "price"),
        ({"price": "１２８"}, "quote_malformed", "price"),
        ({"price": "1e309"}, "quote_malformed", "price"),
        ({"price": ""}, "quote_malformed", "price"),
        ({"duration": "180 days"}, "quote_malformed", "duration"),
        ({"start": "2026-02-30"}, "quote_malformed", "start"),
        ({"discount": "5"}, "quote_unknown", "discount"),
    ],
)
def test_a_sheet_with_one_fault_names_the_field(change: dict[str, str], code: str, field: str) -> None:
    with pytest.raises(QuoteRefused) as refused:
        check_quote(FIELDS, canonical(GOOD | change))
    assert (refused.value.code, refused.value.field) == (code, field)


def test_a_missing_price_is_refused() -> None:
    with pytest.raises(QuoteRefused) as refused:
        check_quote(FIELDS, canonical({"duration": "180"}))
    assert (refused.value.code, refused.value.field) == ("quote_missing", "price")


@pytest.mark.parametrize(
    "sheet", [b'{"price": "1.00"}', b"[]", b'{"price":1}', b'{"a":"1","a":"2"}', b'"text"', b"{}\n", b"x" * 70_000]
)
def test_a_sheet_in_another_form_is_refused(sheet: bytes) -> None:
    with pytest.raises(QuoteRefused) as refused:
        read_sheet(sheet)
    assert refused.value.code == "malformed_quote"
