"""Parts of a view that every audience sees alike."""

from __future__ import annotations

import pytest

from hall.views.parts import amount


@pytest.mark.parametrize(
    ("sealed", "shown"), [("12000000", "12,000,000.00"), ("12.5", "12.50"), ("1200000.05", "1,200,000.05")]
)
def test_an_amount_is_shown_with_two_decimals_however_it_was_sealed(sealed: str, shown: str) -> None:
    assert amount(sealed, "CNY")["grouped"] == shown
