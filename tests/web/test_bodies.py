from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request
from starlette.types import Message

from web.answers.problems import Problem
from web.asking.bodies import COMMAND_LIMIT, parse_object, read_bytes, read_object

BOMBS = {
    "depth 10^5": (b'{"a":' * 100_000, "too_large"),
    "depth 17": (b'{"a":' * 17 + b"1" + b"}" * 17, "malformed_json"),
    "arrays in arrays": (b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}", "malformed_json"),
    "brackets that never close": (b"[" * 60_000, "malformed_json"),
    "ten megabytes": (b'{"a":"' + b"x" * 10_000_000 + b'"}', "too_large"),
    "one byte too many": (b'{"a":"' + b"x" * (COMMAND_LIMIT - 7) + b'"}', "too_large"),
    "NaN": (b'{"a":NaN}', "malformed_json"),
    "Infinity": (b'{"a":-Infinity}', "malformed_json"),
    "a fraction": (b'{"a":1.5}', "malformed_json"),
    "an exponent": (b'{"a":1e309}', "malformed_json"),
    "5000 digits": (b'{"a":' + b"9" * 5000 + b"}", "malformed_json"),
    "an integer no browser can hold": (b'{"a":9007199254740992}', "malformed_json"),
    "minus zero": (b'{"a":-0}', "malformed_json"),
    "a member twice": (b'{"a":1,"a":2}', "malformed_json"),
    "a member twice, escaped once": (b'{"a":1,"\\u0061":2}', "malformed_json"),
    "half a surrogate pair": (b'{"a":"\\ud800"}', "malformed_json"),
    "a byte order mark": (b'\xef\xbb\xbf{"a":1}', "malformed_json"),
    "UTF-16": ('{"a":1}'.encode("utf-16"), "malformed_json"),
    "overlong UTF-8": (b'{"a":"\xc0\xaf"}', "malformed_json"),
    "no object": (b"[1]", "malformed_json"),
    "nothing": (b"", "malformed_json"),
    "two values": (b'{"a":1} {"b":2}', "malformed_json"),
    "a comment": (b'{"a":1 /* b */}', "malformed_json"),
    "a null byte": (b'{"a":"\\u0000"}', "malformed_text"),
    "an escape sequence": (b'{"a":"\\u001b[2J"}', "malformed_text"),
    "text that runs backwards": ('{"a":"bid\u202egpj.exe"}'.encode(), "malformed_text"),
    "an isolate": ('{"a":"\u2066x\u2069"}'.encode(), "malformed_text"),
    "a control character in a name": (b'{"a\\u0007":1}', "malformed_text"),
    "a control character deep inside": (b'{"a":[{"b":["\\u0007"]}]}', "malformed_text"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_body_that_two_readers_could_read_differently_is_refused(name: str) -> None:
    data, code = BOMBS[name]
    with pytest.raises(Problem) as refused:
        parse_object(data)
    assert refused.value.code == code


def test_a_body_of_exactly_the_limit_is_taken() -> None:
    data = b'{"a":"' + b"x" * (COMMAND_LIMIT - 8) + b'"}'
    assert len(data) == COMMAND_LIMIT
    assert parse_object(data)["a"].startswith("x")


def test_text_that_looks_alike_becomes_alike() -> None:
    assert parse_object('{"Re\u0301sume\u0301":["e\u0301"]}'.encode()) == {"R\u00e9sum\u00e9": ["\u00e9"]}


def test_lines_and_tabs_are_text() -> None:
    assert parse_object(b'{"a":"one\\n\\ttwo"}') == {"a": "one\n\ttwo"}


def test_a_prototype_is_an_ordinary_name() -> None:
    assert parse_object(b'{"__proto__":{"admin":true}}') == {"__proto__": {"admin": True}}


def a_request(*chunks: bytes, **headers: str) -> tuple[Request, list[bytes]]:
    """Return a request whose body arrives in these chunks, and the list of those not yet read."""
    left = list(chunks)
    given = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}

    async def receive() -> Message:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    scope = {
        "type": "http",
        "method": "POST",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    return Request(scope, receive), left


async def test_a_body_may_arrive_in_pieces() -> None:
    request, _ = a_request(b'{"a"', b":1", b"}")
    assert await read_object(request) == {"a": 1}


async def test_reading_stops_at_the_limit_however_much_is_sent() -> None:
    request, left = a_request(*[b"x" * 40_000] * 10)
    with pytest.raises(Problem, match="too_large"):
        await read_object(request)
    assert len(left) == 8


@pytest.mark.parametrize("length", ["65537", "9" * 30])
async def test_a_body_announced_too_large_is_not_read_at_all(length: str) -> None:
    request, left = a_request(b"{}", content_length=length)
    with pytest.raises(Problem, match="too_large"):
        await read_object(request)
    assert left == [b"{}"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"])
async def test_what_does_not_say_that_it_is_json_is_refused(kind: str) -> None:
    request, _ = a_request(b"{}", content_type=kind)
    with pytest.raises(Problem, match="wrong_media_type"):
        await read_object(request)


async def test_a_compressed_body_is_refused_unread() -> None:
    request, left = a_request(b"{}", content_encoding="gzip")
    with pytest.raises(Problem, match="wrong_media_type"):
        await read_object(request)
    assert left == [b"{}"]


async def test_a_body_that_dribbles_is_given_up() -> None:
    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/json")]}
    with pytest.raises(Problem, match="too_slow"):
        await read_bytes(Request(scope, receive), limit=10, patience=0.0)
