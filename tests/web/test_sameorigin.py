from __future__ import annotations

import pytest

from web.asking.sameorigin import own_origin, same_origin

HALL = "https://hall.example.org"
HOST = {"host": "hall.example.org"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "post"])
def test_an_act_without_any_sign_of_where_it_comes_from_is_refused(method: str) -> None:
    assert not same_origin(method, HOST, HALL)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_needs_no_sign(method: str) -> None:
    assert same_origin(method, HOST | {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}, HALL)


@pytest.mark.parametrize(
    ("headers", "fine"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "cross-site", "origin": HALL}, False),
        ({"sec-fetch-site": "cross-site", "x-kaibiao": "1"}, False),
        ({"origin": HALL}, True),
        ({"origin": "http://hall.example.org"}, False),  # a page that somebody on the line could have written
        ({"origin": "https://mirror.example.org", "host": "mirror.example.org"}, True),
        ({"origin": "https://hall.example.org.evil.example"}, False),
        ({"origin": "https://evil.example/hall.example.org"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": "https://evil.example", "x-kaibiao": "1"}, False),
        ({"x-kaibiao": "1"}, True),
        ({"x-kaibiao": "0"}, False),
    ],
)
def test_an_act_is_taken_from_the_halls_own_pages_and_from_programs(headers: dict[str, str], fine: bool) -> None:
    assert same_origin("POST", HOST | headers, HALL) is fine


def test_a_reader_without_an_origin_is_a_program() -> None:
    assert own_origin(HOST, HALL)


def test_an_origin_without_a_host_is_foreign() -> None:
    assert not own_origin({"origin": "null"}, HALL)
