"""Every route of the hall and everybody who may knock at it: who is let in, and what the others are told.

A route without a row here fails. What somebody who is let in may then do is for the rules (test_api, BEFORE_T0).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.routing import BaseRoute

from sessions.roles import Role
from tests.support.bidders import a_bidder
from tests.support.house import BEFORE, NAMES, STAFF, House, a_house, a_key, patch, tus

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOBODY = ("public", "logged out", "expired", "disabled")
"""Without a login, or with one that is no longer any."""
BIDDERS = ("bidder", "stranger")
"""One that has bid here, and one that has not: the hall tells neither of the other."""
SEATED = ("host", "deputy", "supervisor")
EVERYBODY = (*NOBODY, *BIDDERS, *SEATED, "elsewhere")
"""``elsewhere``: staff with every role, whom this announcement does not name."""

PUBLIC = EVERYBODY
HOSTS = ("host", "deputy")
IN_THE_HALL = (*BIDDERS, *SEATED)
LOGGED_IN = (*IN_THE_HALL, "elsewhere")
S, U = "/api/v1/sessions/{session}", "/api/v1/sessions/{session}/uploads"
LOG = f"{S}/log"

LETS_IN: Mapping[tuple[str, ...], str] = {
    PUBLIC: f"""
        GET /static/{{build:str}}/{{name:path}}
        GET /api/openapi.json
        GET /api/docs
        GET /api/v1/time
        GET /api/v1/hall-key
        GET /api/v1/hall-keys
        GET /api/v1/log-key
        GET /api/v1/sessions
        GET {S}
        GET {S}/tender.json
        GET {S}/bundle.zip
        GET {S}/readings
        GET {S}/bids/{{row}}/proof
        GET {S}/events
        GET {S}/stream
        POST {S}/lag
        GET {LOG}/checkpoint
        GET {LOG}/checkpoint/{{size}}
        GET {LOG}/proof/{{number}}
        GET {LOG}/consistency
        GET {LOG}/tile/{{path:path}}
        GET {LOG}/head.json
        GET {LOG}/{{number:int}}.json
        GET {LOG}/intake/checkpoint
        GET {LOG}/intake/checkpoint/{{size}}
        GET {LOG}/intake/consistency
        GET {LOG}/intake/tile/{{path:path}}
        GET {LOG}/intake/decoys
        OPTIONS {U}
        POST /api/v1/login/challenge
        POST /api/v1/login/certificate
        GET /api/v1/me
        POST /logout
        GET /login
        GET /healthz
        GET /readyz
        GET /robots.txt
        GET /incidents
        GET /
        GET /openings.ics
        GET /openings.atom
        GET /s/{{session}}
        GET /embed/s/{{session}}
        GET /s/{{session}}/opening.ics
        GET /s/{{session}}/bids.csv
        GET /s/{{session}}/record
        GET /s/{{session}}/record.pdf
        GET /s/{{session}}/recording/{{name}}
        GET /verify
        GET /media/{{session}}/hls/{{name:path}}
        OPTIONS /media/{{session}}/{{way}}
        GET /_/gallery
        GET /_/gallery/calendar
        GET /_/gallery/{{page}}
        GET /_/gallery/s/{{state}}
        GET /_/gallery/embed/{{state}}
        GET /_/gallery/record/{{state}}
        GET /_/gallery/{{page}}/{{state}}
    """,
    BIDDERS: f"""
        GET {S}/challenge
        POST {S}/releases
        GET {S}/heartbeats
        POST {S}/heartbeats
        GET {S}/failures/mine
        POST {S}/ready
        GET {S}/ready
        POST {S}/ready/speed
        POST {U}
        GET {U}/mine
        GET {U}/mine/{{code}}
        HEAD {U}/{{upload}}
        PATCH {U}/{{upload}}
        DELETE {U}/{{upload}}
        POST /me/contact
        GET /seat/{{session}}
        GET /seat/{{session}}/receipt.pdf
        GET /seat/{{session}}/failure/{{event}}
    """,
    SEATED: f"""
        GET {S}/shares
        POST {S}/shares
    """,
    HOSTS: """
        GET /host/{session}
        GET /host/{session}/names
        POST /host/{session}/names
        GET /host/{session}/names/{key}.wav
    """,
    ("supervisor",): "GET /supervise/{session}",
    (*BIDDERS, *HOSTS): f"GET {S}/rescues",
    IN_THE_HALL: f"""
        POST {S}/commands
        POST {S}/rescues
        POST {S}/media/tokens
        GET /air/{{session}}
    """,
    ("host", "elsewhere"): """
        POST /api/v1/sessions
        GET /new
        POST /new
    """,
    (*SEATED, "elsewhere"): """
        GET /postpone
        POST /postpone
    """,
    LOGGED_IN: """
        GET /me
        GET /api/v1/me/logins
        DELETE /api/v1/me/logins
    """,
}
BY_WORD = """
    POST /login
    GET /login/ticket/{ticket}
    POST /media/{session}/whip
    POST /media/{session}/whep
    POST /media/{session}/check
    DELETE /media/{session}/{way}/{media}
"""
"""These ask for a password, a ticket or a token (test_login_limits, test_identity, test_media_routes)."""
NEVER_ENDS = {f"GET {S}/stream"}
ENDS_LOGINS = {"POST /logout", "DELETE /api/v1/me/logins"}
FILLED = {
    "session": "zb-1",
    "row": "1",
    "name": "index.m3u8",
    "number": "1",
    "size": "1",
    "path": "0/000",
    "event": "1",
    "upload": "0" * 32,
    "code": "AAAA",
    "state": "live",
    "page": "login",
    "key": "x",
    "build": "b",
    "way": "whip",
}


def rows() -> dict[str, tuple[str, ...]]:
    """Return who is let in, by route."""
    return {line.strip(): who for who, lines in LETS_IN.items() for line in lines.strip().splitlines()}


def routes(of: Iterable[BaseRoute], prefix: str = "") -> Iterator[str]:
    """Yield method and path of every route, those of routers that were included too."""
    for route in of:
        inside: Any = route
        if hasattr(inside, "original_router"):
            yield from routes(inside.original_router.routes, prefix + inside.include_context.prefix)
        else:
            methods = set(inside.methods or {"GET"})
            yield from (
                f"{method} {prefix}{inside.path}"
                for method in methods - ({"HEAD"} & methods if "GET" in methods else set())
            )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A hall half an hour before T0, with one bid."""
    async with a_house(tmp_path_factory.mktemp("doors"), media="on") as house:
        yield house


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(house: House) -> dict[str, httpx.AsyncClient]:
    house.clock.turn(BEFORE - timedelta(days=2))
    bidder, stranger = a_bidder(NAMES[0]), a_bidder(NAMES[2])
    found = {"public": house.client(), "expired": await house.bidder(bidder)}
    house.clock.turn(BEFORE)
    await house.announce()
    await house.receive_bids(1)
    await house.account("gone", Role.HOST)
    await house.account("elsewhere", *STAFF.values())
    found |= {"logged out": await house.bidder(bidder), "disabled": await house.staff("gone")}
    assert (await found["logged out"].post("/logout")).status_code == 303
    await house.services.accounts.disable("gone")
    found |= {"bidder": await house.bidder(bidder), "stranger": await house.bidder(stranger)}
    found |= {name: await house.staff(name) for name in (*SEATED, "elsewhere")}
    assert found.keys() == set(EVERYBODY)
    return found


async def knock(client: httpx.AsyncClient, route: str, **headers: str) -> httpx.Response:
    method, _, path = route.partition(" ")
    path = re.sub(r"{(\w+)(:\w+)?}", lambda part: FILLED[part[1]], path)
    given = {**a_key(), **(patch(0) if method == "PATCH" else tus()), **headers}
    return await client.request(method, path, json={} if method in ("POST", "PATCH") else None, headers=given)


def lets_in(answer: httpx.Response, method: str) -> bool:
    """Whether somebody was let in; who was not is told to log in, or that this is somebody else's part."""
    to_login = answer.status_code == 303 and answer.headers["location"].startswith("/login?next=")
    if answer.status_code not in (401, 403) and not to_login:
        return True
    if "json" in answer.headers.get("content-type", "") and method != "HEAD":
        assert answer.json()["code"] in ("no_login", "not_your_role"), answer.text
    return False


async def test_every_route_says_who_may_come_in(house: House) -> None:
    told = list(routes(house.app.routes))
    said = [*rows(), *map(str.strip, BY_WORD.strip().splitlines())]
    assert sorted(said) == sorted(told)


@pytest.mark.parametrize("who", EVERYBODY)
async def test_everybody_is_let_in_where_they_may_be_and_nowhere_else(
    people: Mapping[str, httpx.AsyncClient], who: str
) -> None:
    wrong = {}
    for route, allowed in rows().items():
        if route in NEVER_ENDS or (route in ENDS_LOGINS and who in LOGGED_IN):
            continue
        if allowed is PUBLIC and who not in ("public", "bidder"):
            continue  # nobody is asked who they are
        answer = await knock(people[who], route)
        assert answer.status_code < 500, route
        if lets_in(answer, route.partition(" ")[0]) is not (who in allowed):
            wrong[route] = answer.text or answer.status_code
    assert wrong == {}


async def test_no_page_of_another_site_acts_for_its_reader(people: Mapping[str, httpx.AsyncClient]) -> None:
    for route, allowed in rows().items():
        if route.startswith(("POST ", "PATCH ", "DELETE ")):
            who = "host" if "host" in allowed else allowed[0] if allowed is not PUBLIC else "bidder"
            answer = await knock(people[who], route, origin="https://elsewhere.example")
            assert answer.json()["code"] == "not_same_origin", (route, answer.text)
