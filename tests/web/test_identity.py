from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select

from crypto import authority
from crypto.certificates import Usage
from crypto.encoding import b64u
from crypto.signing import sign
from sessions.store import tables
from tests.support.bidders import BEGIN, Bidder, a_bidder, the_authority
from tests.support.house import NAMES, PASSWORD, House, a_house, a_key, credentials, log_in
from web.routes.login import local

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(tmp_path) as house:
        yield house


def code_of(answer: httpx.Response) -> tuple[int, str | None]:
    return answer.status_code, answer.json().get("code")


# -- bidders -----------------------------------------------------------------------------------------------------


async def test_a_bidder_logs_in_with_its_certificate_and_out_again(house: House) -> None:
    client, bidder = house.client(), a_bidder()
    answer = await log_in(client, bidder)
    assert answer.json() == {"role": "bidder", "bidder": bidder.id, "name": "华东建设有限公司"}
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("kaibiao=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    assert (await client.get("/api/v1/me")).json() == answer.json()
    left = await client.post("/logout")
    assert (left.status_code, left.headers["location"]) == (303, "/")
    assert left.headers["clear-site-data"] == '"cache"'
    assert (await client.get("/api/v1/me")).json() == {"role": "public"}


async def test_a_token_that_was_logged_out_is_worth_nothing_wherever_it_was_copied(house: House) -> None:
    client = house.client()
    await log_in(client, a_bidder())
    thief = house.client(cookie="; ".join(f"{name}={value}" for name, value in client.cookies.items()))
    assert (await thief.get("/api/v1/me")).json()["role"] == "bidder"
    await client.post("/logout")
    assert (await thief.get("/api/v1/me")).json() == {"role": "public"}


async def test_the_database_holds_no_token(house: House) -> None:
    client = house.client()
    await log_in(client, a_bidder())
    (token,) = client.cookies.values()
    async with house.services.database.reading() as connection:
        rows = (await connection.execute(select(tables.logins))).all()
    assert len(rows) == 1
    assert token not in str(rows)


async def test_a_login_ends_after_its_hours(house: House) -> None:
    client = await house.bidder()
    house.clock.turn(timedelta(hours=12) - timedelta(milliseconds=1))
    assert (await client.get("/api/v1/me")).json()["role"] == "bidder"
    house.clock.turn(timedelta(milliseconds=1))
    assert (await client.get("/api/v1/me")).json() == {"role": "public"}


async def test_all_logins_are_listed_and_ended_at_once(house: House) -> None:
    one, two, other = await house.bidder(), await house.bidder(), await house.bidder(a_bidder(NAMES[1]))
    listed = (await one.get("/api/v1/me/logins")).json()["logins"]
    assert len(listed) == 2
    assert (await one.delete("/api/v1/me/logins")).status_code == 204
    roles = [(await client.get("/api/v1/me")).json()["role"] for client in (one, two, other)]
    assert roles == ["public", "public", "bidder"]


def issued(by: authority.Authority, usage: Usage = Usage.SIGN, **changes: Any) -> Bidder:
    given = {"name": "测试", "identifier": "91110000000000000X", "usage": usage, "at": BEGIN, **changes}
    credential = authority.issue(by, **given)
    return Bidder(sign=credential, encrypt=credential)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: issued(authority.create("Stranger", at=BEGIN)), "unknown_issuer"),
        (lambda: issued(authority.create("Test Root", at=BEGIN)), "unknown_issuer"),
        (lambda: issued(the_authority(), days=30), "expired"),
        (lambda: issued(the_authority(), at=BEGIN + timedelta(days=364)), "not_yet_valid"),
        (lambda: issued(the_authority(), Usage.ENCRYPT), "wrong_key_usage"),
    ],
)
async def test_a_certificate_that_is_not_good_here_and_now_is_refused(house: House, make: Any, code: str) -> None:
    assert code_of(await log_in(house.client(), make())) == (409, code)


async def test_a_revoked_certificate_is_refused(house: House) -> None:
    bidder = a_bidder()
    revoke(house, bidder)
    assert code_of(await log_in(house.client(), bidder)) == (409, "revoked")


async def test_a_certificate_revoked_in_mid_session_acts_no_more(house: House) -> None:
    await house.announce()
    ((bidder, sealed),) = await house.receive_bids(1)
    client = await house.bidder(bidder)
    revoke(house, bidder)
    said = {"v": 1, "session": house.session, "bidder": bidder.id, "header_sha256": sealed.bid.header_sha256}
    acts = [
        await house.act(client, "WithdrawBid", statement=sign(said, "withdraw", bidder.sign)),
        await house.act(client, "NoObjection"),
        await house.submit(client, sealed),
        await client.get(f"{house.path}/challenge"),
        await client.post(f"{house.path}/releases", json={"release": "x"}),
    ]
    assert [code_of(answer) for answer in acts] == [(409, "revoked")] * len(acts)


async def test_where_lists_are_required_none_means_no(tmp_path: Path) -> None:
    async with a_house(tmp_path, revocation="required") as house:
        assert code_of(await log_in(house.client(), a_bidder())) == (409, "revocation_unknown")


@pytest.mark.parametrize(
    ("changes", "kind", "status", "code"),
    [
        ({"origin": "https://other.example"}, "login", 409, "wrong_origin"),
        ({"nonce": "AAAA"}, "login", 409, "stale_challenge"),
        ({"at": "2026-11-21T00:30:00.001Z"}, "login", 409, "stale_challenge"),
        ({"v": 2}, "login", 400, "malformed_request"),
        ({"extra": "x"}, "login", 400, "malformed_request"),
        ({}, "checkin", 409, "wrong_kind"),
    ],
)
async def test_a_statement_that_is_not_this_login_is_refused(
    house: House, changes: dict[str, Any], kind: str, status: int, code: str
) -> None:
    client, bidder = house.client(), a_bidder()
    challenge = (await client.post("/api/v1/login/challenge")).json()
    statement = sign({"v": 1, **challenge, **changes}, kind, bidder.sign)
    answer = await client.post("/api/v1/login/certificate", json=credentials(bidder, statement))
    assert code_of(answer) == (status, code)
    assert "set-cookie" not in answer.headers


async def test_a_challenge_is_answered_once(house: House) -> None:
    client, bidder = house.client(), a_bidder()
    challenge = (await client.post("/api/v1/login/challenge")).json()
    body = credentials(bidder, sign({"v": 1, **challenge}, "login", bidder.sign))
    assert (await client.post("/api/v1/login/certificate", json=body)).status_code == 200
    assert code_of(await client.post("/api/v1/login/certificate", json=body)) == (409, "stale_challenge")


async def test_a_challenge_is_answered_within_two_minutes(house: House) -> None:
    client, bidder = house.client(), a_bidder()
    challenge = (await client.post("/api/v1/login/challenge")).json()
    house.clock.turn(timedelta(seconds=121))
    body = credentials(bidder, sign({"v": 1, **challenge}, "login", bidder.sign))
    assert code_of(await client.post("/api/v1/login/certificate", json=body)) == (409, "stale_challenge")


async def test_somebody_elses_certificate_is_no_identity(house: House) -> None:
    client, bidder, other = house.client(), a_bidder(NAMES[0]), a_bidder(NAMES[1])
    challenge = (await client.post("/api/v1/login/challenge")).json()
    statement = sign({"v": 1, **challenge}, "login", bidder.sign)
    answer = await client.post("/api/v1/login/certificate", json=credentials(other, statement))
    assert code_of(answer) == (409, "wrong_signer")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"certificate": "AAAA"}, 400, "malformed_certificate"),
        ({"certificate": "not base64!"}, 400, "malformed_certificate"),
        ({"certificate": b64u(b"0" * 40_000)}, 400, "malformed_certificate"),
        ({"chain": ["AAAA"]}, 400, "malformed_certificate"),
        ({"chain": "AAAA"}, 400, "malformed_request"),
        ({"chain": [1]}, 400, "malformed_request"),
        ({"certificate": None}, 400, "malformed_request"),
        ({"more": "x"}, 400, "malformed_request"),
        ({"statement": "a.b"}, 400, "malformed_token"),
    ],
)
async def test_a_malformed_login_is_refused(house: House, changes: dict[str, Any], status: int, code: str) -> None:
    body = credentials(a_bidder(), "a.b.c") | changes
    assert code_of(await house.client().post("/api/v1/login/certificate", json=body)) == (status, code)


async def test_an_authority_is_no_bidder(house: House) -> None:
    body = credentials(a_bidder(), "a.b.c")
    body["certificate"] = b64u(the_authority().certificate.public_bytes(Encoding.DER))
    assert code_of(await house.client().post("/api/v1/login/certificate", json=body)) == (409, "not_a_leaf")


def revoke(house: House, bidder: Bidder) -> None:
    """Drop a revocation list with this bidder's signing certificate into the folder."""
    serial = bidder.sign.certificate.serial_number
    crl = authority.revocation_list(the_authority(), {serial: BEGIN}, at=house.clock.now(), days=7)
    house.services.settings.crls.mkdir(exist_ok=True)
    (house.services.settings.crls / "test.crl").write_bytes(crl.public_bytes(Encoding.PEM))


# -- staff -------------------------------------------------------------------------------------------------------


async def staff_login(house: House, **changes: str) -> httpx.Response:
    if "host" not in house.accounts:
        await house.account("host")
    right = {"account": "host", "password": PASSWORD, "code": house.one_time_code("host")}
    return await house.client().post("/login", json=right | changes)


async def test_staff_log_in_with_password_and_code(house: House) -> None:
    answer = await staff_login(house)
    assert answer.json() == {"role": "staff", "account": "host", "name": "host 甲", "roles": ["host"]}


async def test_a_code_works_once(house: House) -> None:
    assert (await staff_login(house)).status_code == 200
    assert code_of(await staff_login(house)) == (401, "login_failed")
    house.clock.turn(timedelta(seconds=30))
    assert (await staff_login(house)).status_code == 200


async def test_whatever_was_wrong_the_answer_is_the_same(house: House) -> None:
    await house.account("host")
    answers = [
        await staff_login(house, password="wrong"),
        await staff_login(house, password=""),
        await staff_login(house, code="000000"),
        await staff_login(house, code=""),
        await staff_login(house, code="一二三四五六"),
        await staff_login(house, account="nobody"),
        await staff_login(house, account=""),
    ]
    house.clock.turn(timedelta(minutes=2))
    await house.services.accounts.disable("host")
    answers.append(await staff_login(house))
    assert {(answer.status_code, answer.content) for answer in answers} == {(401, answers[0].content)}


async def test_guessing_is_slowed_down_by_account_and_by_address(house: House) -> None:
    await house.account("host")
    codes = [(await staff_login(house, password="wrong")).status_code for _ in range(6)]
    assert codes == [401] * 5 + [429]
    others = [(await staff_login(house, account=f"a{number}")).status_code for number in range(15)]
    assert others == [401] * 14 + [429]


async def test_a_form_leads_on_to_a_page_of_this_hall(house: House) -> None:
    await house.account("host")
    form = {"account": "host", "password": PASSWORD, "code": house.one_time_code("host"), "next": "/host/zb-1"}
    answer = await house.client().post("/login", data=form, headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/host/zb-1")
    assert "set-cookie" in answer.headers


async def test_a_form_that_failed_is_shown_again_without_the_password(house: House) -> None:
    form = {"account": "host<b>", "password": "my secret words", "code": "123456", "next": "//evil.example"}
    answer = await house.client().post("/login", data=form, headers={"accept": "text/html"})
    assert answer.status_code == 401
    assert "host&lt;b&gt;" in answer.text
    for absent in ("my secret words", "123456", "evil.example", "<b>"):
        assert absent not in answer.text


@pytest.mark.parametrize(
    "body", [b"a=" + b"x" * 9000, b"a=1&" * 20 + b"b=2", b"a=%ff", b"\xff=1"], ids=["large", "many", "latin", "bytes"]
)
async def test_a_form_that_is_none_is_refused(house: House, body: bytes) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert (await house.client().post("/login", content=body, headers=headers)).status_code in (400, 413)


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("/host/zb-1", "/host/zb-1"),
        ("/s/zb-1?lang=en", "/s/zb-1?lang=en"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\\..\\evil", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("evil", "/"),
        ("/a\r\nset-cookie: x=1", "/"),
        ("/\u2028", "/"),
        ("/a b", "/"),
        ("", "/"),
        (None, "/"),
    ],
)
async def test_a_login_leads_nowhere_else(target: str | None, place: str) -> None:
    assert local(target) == place


# -- tickets, cookies, other sites ---------------------------------------------------------------------------------


async def test_a_ticket_puts_one_person_into_a_chair_once(house: House) -> None:
    await house.account("host")
    ticket = await house.services.identity.create_ticket(account="host")
    client = house.client()
    answer = await client.get(f"{ticket}?next=/host/zb-1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/host/zb-1")
    assert (await client.get("/api/v1/me")).json()["account"] == "host"
    assert code_of(await house.client().get(ticket)) == (403, "ticket_used")


async def test_a_ticket_runs_out(house: House) -> None:
    ticket = await house.services.identity.create_ticket(
        bidder=a_bidder().sign.certificate, life=timedelta(minutes=1)
    )
    house.clock.turn(timedelta(minutes=1))
    assert code_of(await house.client().get(ticket)) == (403, "ticket_used")


async def test_over_tls_the_cookie_is_bound_to_the_host(tmp_path: Path) -> None:
    async with a_house(tmp_path, public_url="https://hall.example.org") as house:
        cookie = (await log_in(house.client(), a_bidder())).headers["set-cookie"]
    assert cookie.startswith("__Host-kaibiao=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


async def test_another_sites_page_acts_for_nobody(house: House) -> None:
    await house.announce()
    host = await house.staff("host")
    before = (await house.view(host))["n"]
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": house.services.settings.origin},
        {"x-kaibiao": ""},
    ):
        answer = await host.post(
            f"{house.path}/commands", json={"command": "TakeChair"}, headers=a_key() | {"x-kaibiao": ""} | headers
        )
        assert code_of(answer) == (403, "not_same_origin")
    assert (await house.view(host))["n"] == before


@pytest.mark.parametrize("token", ["", "x", "' OR 1=1 --", "%00", "a" * 5000])
async def test_a_made_up_cookie_is_nobody(house: House, token: str) -> None:
    answer = await house.client(cookie=f"kaibiao={token}").get("/api/v1/me")
    assert answer.json() == {"role": "public"}
