"""Asking certification authorities: only those allowed, once for many, and silence is told apart from an answer."""

import asyncio
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from crypto import authority, ocsp, responder
from crypto.authority import issue
from crypto.certificates import Credential, Usage
from sessions.ports import Answered
from tests.support.bidders import BEGIN, DURING, the_authority
from tests.support.fake_clock import FakeClock
from web.outside.revocation import FRESH, RESTS, Authorities, Failed, Fetcher, under

SECOND = timedelta(seconds=1)
ROOT = the_authority()
BY = responder.appoint(ROOT, at=BEGIN, days=3000)


def certified(ocsp: str = "http://ca.example/ocsp", crl: str = "") -> Credential:
    return issue(ROOT, name="甲", identifier="9133", usage=Usage.SIGN, at=BEGIN, ocsp=ocsp, crl=crl)


class Authority:
    """A responder and its list, as a function; ``broken`` is what it fails with."""

    def __init__(self, clock: FakeClock, subject: Credential, broken: str = "") -> None:
        self.clock, self.subject, self.broken = clock, subject, broken
        self.asked: list[str] = []
        self.revoked: dict[int, Any] = {}

    def fetch(self, url: str, body: bytes | None, most: int, seconds: float) -> bytes:
        self.asked.append(url)
        if self.broken in (url, "all"):
            raise Failed("http_503")
        if body is None:
            return authority.revocation_list(ROOT, self.revoked, at=self.clock.now()).public_bytes(Encoding.DER)
        serial = self.subject.certificate.serial_number
        return responder.answer(
            body,
            authority=ROOT.certificate,
            responder=BY,
            issued={serial},
            revoked=self.revoked,
            at=self.clock.now(),
        )


def authorities(clock: FakeClock, there: Authority, *prefixes: str) -> Authorities:
    return Authorities(prefixes or ("http://ca.example/",), clock=clock, seconds=1.0, fetch=there.fetch)


async def asked(of: Authorities, who: Credential) -> Answered:
    return await of.ask(who.certificate, ROOT.certificate, DURING)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(DURING)


async def test_an_answer_is_had_once_and_remembered_while_it_is_fresh(clock: FakeClock) -> None:
    who = certified()
    there = Authority(clock, who)
    of = authorities(clock, there)
    found = await asyncio.gather(*(asked(of, who) for _ in range(20)))
    assert len(there.asked) == 1
    assert {len(each.ocsps) for each in found} == {1}
    clock.advance(FRESH - SECOND)
    assert [each.outcome for each in (await asked(of, who)).tried] == ["answered"]
    assert len(there.asked) == 1
    clock.advance(SECOND)
    await asked(of, who)
    assert len(there.asked) == 2
    await of.close()


async def test_while_the_responder_is_dead_an_answer_in_date_goes_on_and_silence_is_told(
    clock: FakeClock,
) -> None:
    who = certified()
    there = Authority(clock, who)
    of = authorities(clock, there)
    await asked(of, who)
    there.broken = "all"
    clock.advance(FRESH)
    found = await asked(of, who)
    assert len(found.ocsps) == 1
    assert [each.outcome for each in found.tried] == ["http_503"]
    clock.advance(timedelta(hours=1))
    found = await asked(of, who)
    assert (found.ocsps, [each.outcome for each in found.tried]) == ((), ["http_503"])
    await of.close()


async def test_a_dead_address_is_left_alone_for_a_while(clock: FakeClock) -> None:
    who = certified()
    there = Authority(clock, who, broken="all")
    of = authorities(clock, there)
    first, second = await asked(of, who), await asked(of, who)
    assert (len(there.asked), first) == (1, second)
    clock.advance(RESTS)
    there.broken = ""
    assert (await asked(of, who)).ocsps
    await of.close()


async def one_used_one_ended(clock: FakeClock) -> tuple[Authorities, Authority, datetime]:
    """Have two answers kept: one that is used and ends soon, and when; and one that nobody needs any more."""
    used, ended = certified(), certified()
    there = Authority(clock, used)
    of = authorities(clock, there)
    await asked(of, used)
    there.subject = ended
    await asked(of, ended)
    kept, other = of._kept.values()
    clock.advance((kept.until - clock.now()) * 9 / 10)
    other.until, there.subject = clock.now(), used
    return of, there, kept.until


async def test_an_answer_that_is_used_is_renewed_before_it_ends_and_others_are_forgotten(clock: FakeClock) -> None:
    of, there, until = await one_used_one_ended(clock)
    await of._renew()
    (renewed,) = of._kept.values()
    assert (len(there.asked), renewed.subject) == (3, there.subject.certificate)
    assert renewed.until > until
    await of.close()


async def test_what_is_pushed_out_while_another_is_renewed_ends_no_round(clock: FakeClock) -> None:
    of, there, _ = await one_used_one_ended(clock)
    answer = there.fetch

    def crowded(*given: Any) -> bytes:
        of._kept.clear()
        return answer(*given)

    of._fetch = crowded
    await of._renew()
    assert [each.subject for each in of._kept.values()] == [there.subject.certificate]
    await of.close()


async def test_the_list_is_fetched_where_the_responder_is_silent(clock: FakeClock) -> None:
    who = certified(crl="http://ca.example/crl")
    there = Authority(clock, who, broken="http://ca.example/ocsp")
    of = authorities(clock, there)
    found = await asked(of, who)
    assert len(found.crls) == 1
    assert [(each.url[-4:], each.outcome) for each in found.tried] == [("ocsp", "http_503"), ("/crl", "answered")]
    await of.close()


async def test_an_address_that_the_operator_did_not_list_is_never_asked(clock: FakeClock) -> None:
    who = certified("http://169.254.169.254/latest")
    there = Authority(clock, who)
    of = authorities(clock, there)
    assert await asked(of, who) == Answered()
    assert there.asked == []
    await of.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://ca.example.evil.example/ocsp",
        "http://ca.example@evil.example/ocsp",
        "http://user:secret@ca.example/ocsp",
        "http://ca.example:8080/ocsp",
        "https://ca.example/ocsp",
        "http://ca.example/ocsp-other",
        "http://ca.example/ocsp/../admin",
        "http://ca.example/ocsp\r\nHost: evil",
        "file:///etc/passwd",
        "http://[ca.example/ocsp",
    ],
)
def test_what_only_looks_like_an_allowed_address_is_none(url: str) -> None:
    assert under("http://ca.example/ocsp", "http://ca.example/ocsp/a?b")
    assert not under("http://ca.example/ocsp", url)


async def test_an_answer_to_another_question_is_no_answer(clock: FakeClock) -> None:
    who = certified()
    there = Authority(clock, who)
    old = there.fetch("x", ocsp.ask(who.certificate, ROOT.certificate, nonce=bytes(32)), 0, 0.0)

    def replayed(url: str, body: bytes | None, most: int, seconds: float) -> bytes:
        return old

    of = Authorities(("http://ca.example/",), clock=clock, seconds=1.0, fetch=replayed)
    assert [each.outcome for each in (await asked(of, who)).tried] == ["bad_answer"]
    await of.close()


# -- over a real socket ----------------------------------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        match self.path:
            case "/away":
                self.send_response(302)
                self.send_header("Location", "/good")
                self.end_headers()
            case "/endless":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(bytes(200_000))
            case "/good":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"good")
            case _:
                self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def a_server() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def outcome(fetcher: Fetcher, url: str) -> str:
    try:
        return fetcher.fetch(url, None, 100_000, 5.0).decode()
    except Failed as error:
        return str(error)


def test_redirects_are_not_followed_and_sizes_are_kept() -> None:
    with a_server() as place:
        fetcher = Fetcher((f"{place}/",))
        assert outcome(fetcher, f"{place}/good") == "good"
        assert outcome(fetcher, f"{place}/away") == "http_302"
        assert outcome(fetcher, f"{place}/endless") == "too_large"
        assert outcome(fetcher, f"{place}/nothing") == "http_404"


def test_a_name_that_leads_into_the_own_network_is_not_followed() -> None:
    with a_server() as place:
        port = place.rsplit(":", 1)[1]
        assert outcome(Fetcher(("http://ca.example/",)), f"http://127.0.0.1:{port}/good") == "private_address"
        assert outcome(Fetcher((f"http://localhost:{port}/",)), f"http://localhost:{port}/good") == "good"
    assert outcome(Fetcher((f"{place}/",)), f"{place}/good") == "unreachable"
