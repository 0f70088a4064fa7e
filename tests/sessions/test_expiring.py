"""A certificate that ends too soon is told, the soonest first; one that lasts is not."""

from datetime import timedelta

from crypto import authority
from crypto.certificates import Usage
from sessions.notices.expiring import expiring
from tests.support.bidders import BEGIN, the_authority

DAY = timedelta(days=1)
T0 = BEGIN + 100 * DAY


def lasting(days: int, usage: Usage) -> tuple[object, Usage]:
    issued = authority.issue(the_authority(), name="甲", identifier="9133", usage=usage, at=BEGIN, days=days)
    return issued.certificate, usage


def test_what_ends_before_the_opening_or_its_margin_is_told() -> None:
    held = [lasting(days, usage) for days, usage in ((110, Usage.SIGN), (99, Usage.ENCRYPT), (131, Usage.SIGN))]
    found = expiring(held, t0=T0, margin=30 * DAY)  # type: ignore[arg-type]
    assert [(each.usage, each.ends, each.before_opening) for each in found] == [
        (Usage.ENCRYPT, BEGIN + 99 * DAY, True),
        (Usage.SIGN, BEGIN + 110 * DAY, False),
    ]


def test_without_a_margin_of_the_pack_it_is_a_month() -> None:
    held = [lasting(129, Usage.SIGN), lasting(130, Usage.SIGN)]
    found = expiring(held, t0=T0, margin=None)  # type: ignore[arg-type]
    assert [each.ends for each in found] == [BEGIN + 129 * DAY]
