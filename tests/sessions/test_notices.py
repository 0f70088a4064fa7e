"""What is due to whom follows from the certificate's end and the public calendar alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from crypto.certificates import Usage
from sessions.ids import SessionId
from sessions.notices.due import (
    AFTER,
    LENGTH,
    SOON,
    Coming,
    Contact,
    Held,
    announced,
    day_of,
    held,
    holding,
    notice,
    packed,
    unpacked,
)
from sessions.plan import Words
from sessions.ports import Summary
from tests.support.bidders import a_bidder

NOW = datetime(2026, 11, 20, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def a_contact(*ends: datetime) -> Contact:
    usages = (Usage.SIGN, Usage.ENCRYPT)
    certificates = tuple(Held(usage=usage, serial="77A0", ends=end) for usage, end in zip(usages, ends, strict=False))
    return Contact(account="91310000MA1", address="bids@huadong.example", held=certificates)


def an_opening(t0: datetime, name: str = "zb-1") -> Coming:
    return Coming(session=SessionId(name), title=Words(zh="排水", en="Drainage"), t0=t0)


def test_a_certificate_that_lasts_is_not_told_of() -> None:
    assert notice(a_contact(NOW + SOON + DAY), [an_opening(NOW + DAY)], NOW) is None


def test_a_certificate_that_ends_soon_is_told_of_without_any_opening() -> None:
    said = notice(a_contact(NOW + SOON - DAY), [], NOW)
    assert said is not None
    assert said.too_early_for == ()


def test_a_certificate_that_ends_before_an_opening_is_told_of_however_far_off_that_is() -> None:
    far = an_opening(NOW + 10 * SOON)
    said = notice(a_contact(NOW + 5 * SOON), [an_opening(NOW + SOON, "early"), far], NOW)
    assert said is not None
    assert said.too_early_for == (far,)


def test_a_certificate_must_last_through_the_day_of_the_opening() -> None:
    t0 = NOW + 2 * SOON
    assert notice(a_contact(t0 + LENGTH), [an_opening(t0)], NOW) is None
    assert notice(a_contact(t0 + LENGTH - timedelta(seconds=1)), [an_opening(t0)], NOW) is not None


def test_an_ended_certificate_is_told_of_for_a_week() -> None:
    openings = [an_opening(NOW + DAY)]
    assert notice(a_contact(NOW - AFTER + DAY), openings, NOW) is not None
    assert notice(a_contact(NOW - AFTER), openings, NOW) is None


def test_of_two_certificates_the_sooner_one_comes_first_and_counts_for_the_openings() -> None:
    soon, later = NOW + DAY, NOW + 5 * DAY
    opening = an_opening(NOW + 3 * DAY)
    said = notice(a_contact(later, soon), [opening], NOW)
    assert said is not None
    assert [one.usage for one in said.endings] == [Usage.ENCRYPT, Usage.SIGN]
    assert said.too_early_for == (opening,)


def test_the_days_of_notices_begin_at_eight_in_beijing() -> None:
    eight = datetime(2026, 11, 20, 0, tzinfo=UTC)
    assert str(day_of(eight)) == "2026-11-20"
    assert str(day_of(eight - timedelta(milliseconds=1))) == "2026-11-19"


def test_a_newer_certificate_takes_the_place_of_the_one_for_the_same_use() -> None:
    before = a_contact(NOW, NOW)
    newer = held(a_bidder().sign.certificate, Usage.SIGN)
    after = holding(before, newer)
    assert newer in after.held
    assert [one.usage for one in after.held] == [Usage.ENCRYPT, Usage.SIGN]


def test_rehearsals_are_not_announced_to_anybody() -> None:
    def summary(name: str, *, rehearsal: bool) -> Summary:
        plan = {"rehearsal": rehearsal, "tender": {"title": {"zh": "排水", "en": "Drainage"}}}
        moments = {"created_at": NOW, "t0": NOW, "due": None, "ended_at": None}
        return Summary(session=SessionId(name), plan=plan, status="scheduled", step=None, **moments)

    found = announced([summary("real", rehearsal=False), summary("practice", rehearsal=True)])
    assert [one.session for one in found] == ["real"]


ends = st.integers(-40, 400).map(lambda days: NOW + timedelta(days=days))
calendars = st.lists(st.integers(0, 400), max_size=8).map(
    lambda days: [an_opening(NOW + timedelta(days=each), f"zb-{number}") for number, each in enumerate(days)]
)


@given(ends, ends, calendars)
def test_a_notice_lists_every_opening_that_its_certificates_are_too_short_for(
    sign: datetime, encrypt: datetime, openings: list[Coming]
) -> None:
    said = notice(a_contact(sign, encrypt), openings, NOW)
    if said is None:
        return
    first = min(one.ends for one in said.endings)
    assert set(said.too_early_for) == {each for each in openings if first < each.t0 + LENGTH}
    assert list(said.too_early_for) == sorted(said.too_early_for, key=lambda each: (each.t0, each.session))
    assert all(one.ends > NOW - AFTER for one in said.endings)


@given(ends, calendars, calendars)
def test_another_opening_only_adds_to_what_is_said(end: datetime, openings: list[Coming], more: list[Coming]) -> None:
    before, after = (notice(a_contact(end), calendar, NOW) for calendar in (openings, openings + more))
    if before is not None:
        assert after is not None
        assert set(before.too_early_for) <= set(after.too_early_for)


@given(ends, ends)
def test_what_is_kept_of_a_contact_is_read_back(sign: datetime, encrypt: datetime) -> None:
    contact = a_contact(sign, encrypt)
    assert unpacked(contact.account, packed(contact)) == contact


def test_a_contact_does_not_show_its_address_in_a_log() -> None:
    assert "huadong" not in repr(a_contact(NOW)) + repr(notice(a_contact(NOW), [], NOW))
