from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from crypto.errors import CertificateRefused, EncodingRefused, StatementRefused
from crypto.words import WORDS
from hall.wire.errors import BadCursor, GoingAway, TooManyWatchers
from sessions.acts.submission import NoSuchUpload, Refused
from sessions.announcing.rulebook import load
from sessions.errors import CommandRefused, Overloaded, Stale, Unanswered, UnknownSession
from sessions.ids import Jws
from sessions.ports import WrongOffset
from sessions.wording.refusals import REFUSALS
from web.answers.errors import Incidents, answer, log_incident, refusal_of, to_problem, words_of
from web.answers.problems import SAYINGS, KeyRefused, Problem


@pytest.mark.parametrize(
    ("error", "status", "code", "more"),
    [
        (Problem("no_login"), 401, "no_login", {}),
        (Problem("too_many", retry_after=7), 429, "too_many", {"retry_after": 7}),
        (Problem("malformed_tender", field="quote"), 400, "malformed_tender", {"field": "quote"}),
        (UnknownSession("x"), 404, "unknown_session", {}),
        (NoSuchUpload(), 404, "unknown_upload", {}),
        (Stale(), 503, "out_of_step", {"retry_after": 1}),
        (Overloaded(3), 503, "overloaded", {"retry_after": 3}),
        (Unanswered(), 503, "unanswered", {"retry_after": 2}),
        (WrongOffset(512), 409, "wrong_offset", {"offset": 512}),
        (BadCursor(), 400, "bad_cursor", {}),
        (TooManyWatchers(30), 503, "too_many_watchers", {"retry_after": 30}),
        (GoingAway(), 503, "going_away", {}),
        (CertificateRefused("revoked"), 409, "revoked", {}),
        (CertificateRefused("malformed_certificate"), 400, "malformed_certificate", {}),
        (StatementRefused("too_large"), 413, "too_large", {}),
        (EncodingRefused("malformed_json", detail="byte 17"), 400, "malformed_json", {}),
    ],
)
def test_what_is_expected_has_a_status_and_a_code(
    error: Exception, status: int, code: str, more: dict[str, Any]
) -> None:
    problem = to_problem(error)
    assert problem is not None
    assert (problem["status"], problem["code"]) == (status, code)
    assert {name: problem[name] for name in more} == more
    assert "byte 17" not in json.dumps(problem)


def test_what_nobody_expected_is_a_fault() -> None:
    assert to_problem(RuntimeError("x")) is None


def test_every_saying_is_complete_in_both_languages() -> None:
    for code, saying in SAYINGS.items():
        for words in (saying.title, saying.next_step):
            assert words.zh, code
            assert words.en, code
            assert words.en.endswith((".", "!")), code
            assert words.zh.endswith("。"), code


def test_every_code_of_the_rules_and_of_cryptography_has_words() -> None:
    for code in (*REFUSALS, *WORDS):
        title, next_step = words_of(code, {})
        assert title.zh
        assert next_step.en


def test_a_refusal_quotes_the_article_behind_it() -> None:
    pack = load("cn-works")
    problem = refusal_of(CommandRefused("late", t0="09:00", received_at="09:01"), pack)
    assert problem["status"] == 409
    assert problem["article"]["id"] == pack.refusals["late"]
    assert "09:00" in problem["title"]["en"]


def test_a_refusal_without_a_pack_or_an_article_quotes_none() -> None:
    assert refusal_of(CommandRefused("late"), None)["article"] is None
    assert refusal_of(CommandRefused("text_missing"), load("cn-works"))["article"] is None


def test_a_slip_and_the_numbers_of_a_refused_key_go_along() -> None:
    assert refusal_of(Refused("late", Jws("a.b.c")), None)["slip"] == "a.b.c"
    assert refusal_of(KeyRefused("commitment_mismatch", [7]), None)["events"] == [7]


def a_request(path: str, accept: str = "") -> Request:
    return Request({"type": "http", "method": "GET", "path": path, "headers": [(b"accept", accept.encode())]})


def a_page(_: Request, problem: dict[str, Any]) -> Response:
    return PlainTextResponse(f"page {problem['code']}")


def test_browsers_get_a_page_and_programs_a_document() -> None:
    problem = to_problem(Problem("no_login"))
    assert problem is not None
    page = answer(a_request("/host/x", "text/html,*/*"), problem, a_page)
    assert (page.status_code, page.body) == (401, b"page no_login")
    for request in (a_request("/api/v1/me", "text/html"), a_request("/host/x", "*/*")):
        response = answer(request, problem, a_page)
        assert (response.status_code, response.media_type) == (401, "application/problem+json")
        assert response.headers["www-authenticate"]


def test_when_to_come_back_is_a_header_too() -> None:
    problem = to_problem(Overloaded(9))
    assert problem is not None
    assert answer(a_request("/api/x"), problem).headers["retry-after"] == "9"


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError("price=1280000.00")


async def broken_midway(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise ValueError("price=1280000.00")


async def test_a_fault_becomes_a_number_for_the_reader_and_a_place_for_the_log() -> None:
    transport = httpx.ASGITransport(Incidents(broken))
    with structlog.testing.capture_logs() as logged:
        async with httpx.AsyncClient(transport=transport, base_url="http://hall") as client:
            response = await client.get("/api/x")
    assert (response.status_code, response.json()["code"]) == (500, "fault")
    (line,) = logged
    assert line["incident"] == response.json()["incident"]
    assert (line["kind"], line["path"]) == ("ValueError", "/api/x")
    assert line["frames"][-1].endswith(" broken")
    assert "1280000" not in str(logged) + response.text


async def test_an_answer_that_broke_midway_does_not_look_complete() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError

    scope = {"type": "http", "method": "GET", "path": "/api/x", "headers": []}
    with structlog.testing.capture_logs() as logged:
        await Incidents(broken_midway)(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[-1]["more_body"] is True
    assert len(logged) == 1


def test_two_incidents_have_two_numbers() -> None:
    assert log_incident(ValueError()) != log_incident(ValueError())
