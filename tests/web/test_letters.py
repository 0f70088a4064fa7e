"""A notice as a mail: exact, in both languages, and nothing that others wrote reaches a header."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

from hypothesis import given
from hypothesis import strategies as st

from crypto.certificates import Usage
from sessions.ids import SessionId
from sessions.notices.addresses import NotAnAddress, address_of
from sessions.notices.due import Coming, Contact, Held, Notice, day_of
from sessions.plan import Words
from web.outside.letters import MOST_LISTED, SUBJECT, letter

NOW = datetime(2026, 11, 20, 1, tzinfo=UTC)
ORIGIN = "https://hall.example"
HEADERS = {"from", "to", "subject", "date", "message-id", "auto-submitted", "content-language"}
OWN = {"content-type", "content-transfer-encoding", "mime-version"}
CONTACT = Contact(account="91310000MA1FL0T65X", address="bids@huadong.example", held=())


def a_notice(*titles: str, contact: Contact = CONTACT) -> Notice:
    endings = (
        Held(usage=Usage.SIGN, serial="77A0", ends=datetime(2026, 11, 25, 1, tzinfo=UTC)),
        Held(usage=Usage.ENCRYPT, serial="0B13", ends=datetime(2026, 11, 26, 1, tzinfo=UTC)),
    )
    openings = tuple(
        Coming(
            session=SessionId(f"zb-{number}"),
            title=Words(zh=f"{title}甲", en=f"{title} A"),
            t0=datetime(2026, 12, 1, 1, tzinfo=UTC) + timedelta(days=number),
        )
        for number, title in enumerate(titles)
    )
    return Notice(contact=contact, day=day_of(NOW), endings=endings, too_early_for=openings)


def sent(notice: Notice) -> EmailMessage:
    """Return what a mail program makes of the bytes that leave this hall."""
    data = letter(notice, sender="hall@example.org", origin=ORIGIN, now=NOW).as_bytes()
    assert max(map(len, data.split(b"\r\n"))) <= 998  # RFC 5322 section 2.1.1
    assert data.isascii()
    message = message_from_bytes(data, policy=SMTP)
    assert isinstance(message, EmailMessage)
    assert {name.lower() for name in message} == HEADERS | OWN
    return message


def test_a_mail_says_which_certificates_end_when_and_for_which_openings_too_early() -> None:
    message = sent(a_notice("排水改造", "桥梁"))
    assert message["subject"] == SUBJECT
    assert message["to"].addresses[0].addr_spec == "bids@huadong.example"
    assert message["from"].addresses[0].addr_spec == "hall@example.org"
    assert message["auto-submitted"] == "auto-generated"
    text = message.get_content()
    for line in (
        "- 签名证书（序列号尾号 77A0），有效期至北京时间 2026-11-25 09:00:00",
        "- encryption certificate (serial number ending in 0B13), good until 2026-11-26 01:00:00 UTC",
        "- 北京时间 2026-12-01 09:00:00  排水改造甲",
        "- 2026-12-02 01:00:00 UTC  桥梁 A",
        "  https://hall.example/s/zb-1",
    ):
        assert line in text.splitlines()


def test_a_mail_without_openings_says_so() -> None:
    text = sent(a_notice()).get_content()
    assert "目前没有已公告的开标受此影响。" in text
    assert "No announced opening is touched by this at present." in text


def test_a_long_calendar_is_cut_and_counted() -> None:
    text = sent(a_notice(*["路"] * (MOST_LISTED + 7))).get_content()
    assert "另有 7 场" in text
    assert "and 7 more" in text


def test_the_same_notice_has_the_same_message_id_and_another_has_another() -> None:
    other = replace(CONTACT, account="91310000MA1OTHER00")
    first, again, another = (sent(a_notice("路", contact=each)) for each in (CONTACT, CONTACT, other))
    assert first["message-id"] == again["message-id"] != another["message-id"]
    assert CONTACT.account not in first["message-id"]


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("\r\n:\u2028\u202e")), st.text())
def test_whatever_a_title_or_a_subject_of_a_certificate_says_no_header_and_no_line_is_made_of_it(
    title: str, account: str
) -> None:
    evil = f"{title}\r\nBcc: all@example.org\r\n\r\n{title}"
    plain = sent(a_notice("路"))
    message = sent(a_notice(evil, contact=replace(CONTACT, account=f"{account}\nBcc: all@example.org")))
    assert message["bcc"] is None
    lines = message.get_content().splitlines()
    assert len(lines) == len(plain.get_content().splitlines())
    assert not any(line.startswith("Bcc") for line in lines)


@given(st.from_regex(r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~.-]{1,70}@[a-z0-9.-]{1,70}", fullmatch=True))
def test_every_address_that_is_taken_stands_in_its_header_as_it_is(typed: str) -> None:
    try:
        address = address_of(typed)
    except NotAnAddress:
        return
    message = sent(a_notice("路", contact=replace(CONTACT, address=address)))
    assert [each.addr_spec for each in message["to"].addresses] == [address]
