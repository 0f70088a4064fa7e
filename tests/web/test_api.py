from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from crypto.authority import issue
from crypto.certificates import Usage
from crypto.signing import sign
from tests.support.bidders import a_bidder, the_authority
from tests.support.house import NAMES, STAFF, TENDER, House, a_bid, a_house, a_key
from web.cli.tender import read_tender

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(tmp_path) as house:
        await house.announce()
        yield house


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kept_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with a_house(tmp_path_factory.mktemp("kept")) as house:
        await house.announce()
        yield house


@pytest.fixture
def same_house(kept_house: House) -> House:
    """One hall before T0 for all tests that end no opening; each begins a second later, with fresh tokens."""
    kept_house.clock.turn(timedelta(seconds=1))
    return kept_house


# -- announcing --------------------------------------------------------------------------------------------------


async def test_an_announced_opening_is_in_the_calendar_and_can_be_looked_at(house: House) -> None:
    async with house.client() as anyone:
        listed = (await anyone.get("/api/v1/sessions")).json()["sessions"]
        view = await house.view(anyone)
    assert [(line["id"], line["status"], line["t0"]) for line in listed] == [
        ("zb-1", "checkin", "2026-11-21T01:00:00.000Z")
    ]
    assert view["session"]["title"] == TENDER["title"]
    assert view["status"] == "checkin"


async def test_what_is_published_is_what_can_be_sealed_for_and_announced_again(house: House, tmp_path: Path) -> None:
    async with house.client() as anyone:
        published = (await anyone.get(f"{house.path}/tender.json")).content
    file = tmp_path / "tender.json"
    file.write_bytes(published)
    sheet = read_tender(file)
    assert (sheet.id, sheet.lot, sheet.deadline) == ("ZB-2026-001", "1", "2026-11-21T01:00:00Z")
    form = json.loads(published) | {"session": "zb-2"}
    host = await house.staff("host")
    assert (await host.post("/api/v1/sessions", json=form)).status_code == 201
    async with house.client() as anyone:
        again = (await anyone.get("/api/v1/sessions/zb-2/tender.json")).json()
    assert again == form


async def test_an_opening_without_a_name_is_called_after_its_tender_and_lot(house: House) -> None:
    host = await house.staff("host")
    form = {name: value for name, value in TENDER.items() if name != "session"}
    answer = await host.post("/api/v1/sessions", json=form)
    assert answer.json() == {"session": "zb-2026-001-1"}
    assert answer.headers["location"] == "/api/v1/sessions/zb-2026-001-1"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({}, 409, "exists"),
        ({"session": "../x"}, 400, "malformed_tender"),
        ({"session": "a" * 64}, 400, "malformed_tender"),
        ({"rehearsal": "yes"}, 400, "malformed_tender"),
        ({"session": "zb-3", "deadline": "tomorrow"}, 400, "malformed_tender"),
        ({"session": "zb-3", "pack": "cn-nothing"}, 400, "malformed_tender"),
        ({"session": "zb-3", "colour": "red"}, 400, "malformed_tender"),
        ({"session": "zb-3", "windows": {"decrypt": 1}}, 400, "malformed_tender"),
        ({"session": "zb-3", "deadline": "2026-11-20T01:00:00Z"}, 409, "t0_passed"),
    ],
)
async def test_a_tender_that_cannot_be_opened_is_not_announced(
    same_house: House, changes: dict[str, Any], status: int, code: str
) -> None:
    host = await same_house.staff("host")
    answer = await host.post("/api/v1/sessions", json={**TENDER, **changes})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


@pytest.mark.parametrize("who", ["public", "bidder", "deputy", "supervisor"])
async def test_only_a_host_announces(same_house: House, who: str) -> None:
    client = await someone(same_house, who)
    answer = await client.post("/api/v1/sessions", json={**TENDER, "session": "zb-4"})
    assert answer.json()["code"] == ("no_login" if who == "public" else "not_your_role")


async def test_rehearsals_are_held_only_where_they_are_allowed(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.announce(session="play", rehearsal=True, windows={"decrypt": 5})
        await house.account("deputy")
        ticket = await house.services.identity.create_ticket(account="host")
    async with a_house(tmp_path, rehearsal_allowed=False) as house:
        with pytest.raises(Exception, match="no_rehearsals"):
            await house.services.identity.create_ticket(account="host")
        async with house.client() as anyone:
            assert (await anyone.get(ticket)).status_code == 403
            assert (await anyone.get("/_/gallery")).status_code == 404


# -- reading ---------------------------------------------------------------------------------------------------


async def test_a_view_has_not_changed_until_a_fact_is_added(house: House) -> None:
    async with house.client() as anyone:
        first = await anyone.get(house.path)
        etag = first.headers["etag"]
        assert etag == f'"{first.json()["view"]["n"]}-{first.json()["view"]["head"]}"'
        assert (await anyone.get(house.path, headers={"if-none-match": etag})).status_code == 304
        await house.act(await house.staff("host"), "TakeChair")
        assert (await anyone.get(house.path, headers={"if-none-match": etag})).status_code == 200


async def test_facts_are_read_from_a_number_on(house: House) -> None:
    await house.act(await house.staff("host"), "TakeChair")
    async with house.client() as anyone:
        whole = (await anyone.get(f"{house.path}/events")).json()
        rest = (await anyone.get(f"{house.path}/events?after=1")).json()
        none = (await anyone.get(f"{house.path}/events?after={whole['view_n']}")).json()
    assert [event["n"] for event in whole["events"]] == list(range(1, whole["view_n"] + 1))
    assert rest["events"] == whole["events"][1:]
    assert none == {"view_n": whole["view_n"], "events": []}


@pytest.mark.parametrize("after", ["x", "-1", "1.0", "", "9" * 30, "%31%0d%0a", "٣", "999"])
async def test_a_number_that_is_none_of_the_log_is_refused(same_house: House, after: str) -> None:
    async with same_house.client() as anyone:
        answer = await anyone.get(f"{same_house.path}/events?after={after}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")


async def test_before_t0_every_answer_is_the_same_with_no_bid_and_with_three(tmp_path: Path) -> None:
    answers = []
    for count in (0, 3):
        async with a_house(tmp_path / str(count)) as house:
            await house.announce()
            await house.receive_bids(count)
            public = house.client()
            stranger = await house.bidder(a_bidder(NAMES[3]))
            staff = [await house.staff(account) for account in ("host", "deputy", "supervisor")]
            for client in (public, stranger, *staff):
                for path in ("", "/events", "/tender.json"):
                    answers.append((count, await client.get(house.path + path)))
            answers.append((count, await public.get("/api/v1/sessions")))
            answers.append((count, await stranger.get(f"{house.path}/uploads/mine")))
            answers.append((count, await staff[0].get(f"{house.path}/challenge")))
            answers.append((count, await house.act(staff[0], "Advance", step="list")))
    none, three = ([answer for number, answer in answers if number == count] for count in (0, 3))
    for without, with_bids in zip(none, three, strict=True):
        assert scrubbed(without) == scrubbed(with_bids)
        assert len(without.content) == len(with_bids.content)


def scrubbed(answer: httpx.Response) -> tuple[int, Any]:
    """Return what was answered without what differs between any two halls: salts of facts."""
    return answer.status_code, answer.json() if "application" in answer.headers["content-type"] else answer.text


# -- acting ----------------------------------------------------------------------------------------------------


async def test_a_command_answers_the_numbers_of_its_facts(house: House) -> None:
    host = await house.staff("host")
    before = (await house.view(host))["n"]
    answer = await house.act(host, "TakeChair")
    assert answer.json() == {"events": [before + 1]}


async def test_the_same_key_gets_the_same_answer_and_acts_once(house: House) -> None:
    host = await house.staff("host")
    key = a_key()
    body = {"command": "TakeChair"}
    first = await host.post(f"{house.path}/commands", json=body, headers=key)
    again = await host.post(f"{house.path}/commands", json=body, headers=key)
    assert first.json() == again.json()
    other = await host.post(f"{house.path}/commands", json={"command": "Pause", "reason": "x"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["", "1", "not-a-uuid", "{}"])
async def test_a_command_without_a_key_is_refused(same_house: House, key: str) -> None:
    host = await same_house.staff("host")
    answer = await host.post(
        f"{same_house.path}/commands", json={"command": "TakeChair"}, headers={"idempotency-key": key}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "no_key")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "malformed_command"),
        ({"command": None}, "malformed_command"),
        ({"command": "Fly"}, "malformed_command"),
        ({"command": "__class__"}, "malformed_command"),
        ({"command": "Tick"}, "malformed_command"),
        ({"command": "SealChecks", "results": {}}, "malformed_command"),
        ({"command": "SubmitBid"}, "malformed_command"),
        ({"command": "Advance"}, "malformed_command"),
        ({"command": "Advance", "step": 4}, "malformed_command"),
        ({"command": "Advance", "step": "list", "now": "2026-01-01T00:00:00.000Z"}, "malformed_command"),
        ({"command": "Pause", "reason": "x", "incident": "yes"}, "malformed_command"),
        ({"command": "Postpone", "t0": "tomorrow", "reason": "x"}, "malformed_command"),
        ({"command": "Note", "text": "\u202e"}, "malformed_text"),
        ({"command": "SignRecord", "statement": "a.b.c"}, "malformed_command"),
    ],
)
async def test_what_is_no_command_is_refused(same_house: House, body: dict[str, Any], code: str) -> None:
    answer = await (await same_house.staff("host")).post(f"{same_house.path}/commands", json=body, headers=a_key())
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text


async def test_a_body_over_the_limit_is_refused(same_house: House) -> None:
    answer = await same_house.act(await same_house.staff("supervisor"), "Note", text="x" * 70_000)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_too_many_commands_at_once_are_told_to_wait(house: House) -> None:
    host = await house.staff("host")
    answers = [await house.act(host, "Advance", step="list") for _ in range(21)]
    assert [answer.status_code for answer in answers] == [409] * 20 + [429]
    assert answers[-1].headers["retry-after"] == "1"
    house.clock.turn(timedelta(seconds=1))
    assert (await house.act(host, "Advance", step="list")).status_code == 409


async def test_nobody_acts_in_an_opening_that_does_not_exist(same_house: House) -> None:
    host = await same_house.staff("host")
    answer = await host.post("/api/v1/sessions/gone/commands", json={"command": "TakeChair"}, headers=a_key())
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_session")


# -- who may do what ---------------------------------------------------------------------------------------------

BEFORE_T0: Mapping[str, tuple[dict[str, Any], dict[str, str]]] = {
    # command: its members; role -> code, None when it is done
    "TakeChair": ({}, {"bidder": "not_your_role", "host": "", "deputy": "", "supervisor": ""}),
    "Advance": (
        {"step": "list"},
        {"bidder": "not_your_role", "host": "not_live", "deputy": "not_live", "supervisor": "not_your_role"},
    ),
    "ExtendWindow": (
        {"reason": "网络中断"},
        {"bidder": "not_your_role", "host": "not_live", "deputy": "not_live", "supervisor": "not_your_role"},
    ),
    "AnswerObjection": (
        {"number": 1, "text": "已答复"},
        {"bidder": "not_your_role", "host": "not_live", "deputy": "not_live", "supervisor": "not_your_role"},
    ),
    "Postpone": (
        {"t0": "2026-11-21T02:00:00.000Z", "reason": "澄清"},
        {"bidder": "not_your_role", "host": "", "supervisor": "not_your_role"},
    ),
    "Abort": (
        {"reason": "终止招标"},
        {"bidder": "not_your_role", "host": "", "supervisor": "not_your_role"},
    ),
    "Note": (
        {"text": "一切正常"},
        {"bidder": "not_your_role", "host": "not_your_role", "deputy": "not_your_role", "supervisor": ""},
    ),
    "Object": (
        {"recusal": False, "title": "异议", "text": "内容"},
        {"bidder": "objections_closed", "host": "not_your_role", "deputy": "not_your_role"},
    ),
    "NoObjection": ({}, {"bidder": "objections_closed", "host": "not_your_role", "supervisor": "not_your_role"}),
    "ReportFailure": ({"code": "wrong_password"}, {"bidder": "window_closed", "host": "not_your_role"}),
    "DisputeRow": ({"text": "不符"}, {"bidder": "window_closed", "deputy": "not_your_role"}),
}


@pytest.mark.parametrize(
    ("name", "who"), [(name, who) for name, (_, codes) in BEFORE_T0.items() for who in ("public", *codes)]
)
async def test_before_t0_each_role_may_send_its_own_commands_only(same_house: House, name: str, who: str) -> None:
    fields, codes = BEFORE_T0[name]
    answer = await same_house.act(await someone(same_house, who), name, **fields)
    if who == "public":
        assert (answer.status_code, answer.json()["code"]) == (401, "no_login")
    elif codes[who]:
        assert (answer.status_code, answer.json()["code"]) == (409, codes[who])
    else:
        assert answer.status_code == 200, answer.text


async def test_staff_whom_the_announcement_does_not_name_are_spectators(house: House) -> None:
    await house.account("visitor", *STAFF.values())
    visitor = await house.staff("visitor")
    answer = await house.act(visitor, "TakeChair")
    assert (answer.status_code, answer.json()["code"]) == (403, "not_your_role")


async def test_a_seat_is_lost_with_the_account(house: House) -> None:
    host = await house.staff("host")
    await house.services.accounts.disable("host")
    answer = await house.act(host, "TakeChair")
    assert (answer.status_code, answer.json()["code"]) == (401, "no_login")


async def test_nobody_acts_for_another_bidder(house: House) -> None:
    bidder, other = a_bidder(NAMES[0]), a_bidder(NAMES[1])
    client = await house.bidder(bidder)
    statement = sign({"v": 1, "session": house.session, "bidder": other.id, "head": "0" * 64}, "checkin", bidder.sign)
    answer = await house.act(client, "CheckIn", bidder=other.id, statement=statement)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_yours")


# -- what bidders sign -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "kind", "code"),
    [
        ({}, "checkin", None),
        ({}, "confirm", "wrong_kind"),
        ({"session": "another"}, "checkin", "wrong_statement"),
        ({"bidder": "91110000000000000X"}, "checkin", "wrong_statement"),
        ({"head": "0" * 64}, "checkin", "wrong_statement"),
        ({"v": 2}, "checkin", "wrong_statement"),
        ({"more": "x"}, "checkin", "wrong_statement"),
    ],
)
async def test_a_check_in_says_exactly_what_it_is(
    house: House, changes: dict[str, Any], kind: str, code: str | None
) -> None:
    ((bidder, _),) = await house.receive_bids(1)
    client = await house.bidder(bidder)
    head = (await house.view(client))["head"]
    said = {"v": 1, "session": house.session, "bidder": bidder.id, "head": head, **changes}
    answer = await house.act(client, "CheckIn", statement=sign(said, kind, bidder.sign))
    assert answer.json().get("code") == code, answer.text
    if code is None:
        assert answer.json() == {"events": []}, "a number of the intake would betray how many bids there are"


async def test_a_statement_of_somebody_else_is_refused(house: House) -> None:
    ((bidder, _),) = await house.receive_bids(1)
    client = await house.bidder(bidder)
    head = (await house.view(client))["head"]
    said = {"v": 1, "session": house.session, "bidder": bidder.id, "head": head}
    answer = await house.act(client, "CheckIn", statement=sign(said, "checkin", a_bidder(NAMES[1]).sign))
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_signer")


async def test_a_renewed_certificate_checks_in_but_a_namesakes_does_not(house: House) -> None:
    ((bidder, _),) = await house.receive_bids(1)
    begin = bidder.sign.certificate.not_valid_before_utc
    for name, code in (("冒名有限公司", "other_subject"), (NAMES[0], None)):
        renewed = issue(the_authority(), name=name, identifier=bidder.id, usage=Usage.SIGN, at=begin)
        client = await house.bidder(replace(bidder, sign=renewed))
        said = {"v": 1, "session": house.session, "bidder": bidder.id, "head": (await house.view(client))["head"]}
        answer = await house.act(client, "CheckIn", statement=sign(said, "checkin", renewed))
        assert answer.json().get("code") == code, answer.text


async def test_only_the_certificate_that_signed_the_bid_withdraws_it(house: House) -> None:
    ((bidder, sealed),) = await house.receive_bids(1)
    begin = bidder.sign.certificate.not_valid_before_utc
    renewed = issue(the_authority(), name=NAMES[0], identifier=bidder.id, usage=Usage.SIGN, at=begin)
    client = await house.bidder(replace(bidder, sign=renewed))
    said = {"v": 1, "session": house.session, "bidder": bidder.id, "header_sha256": sealed.bid.header_sha256}
    answer = await house.act(client, "WithdrawBid", statement=sign(said, "withdraw", renewed))
    assert (answer.status_code, answer.json()["code"]) == (409, "other_certificate")


async def test_a_command_that_brings_its_own_proof_is_refused(house: House) -> None:
    ((bidder, _),) = await house.receive_bids(1)
    client = await house.bidder(bidder)
    said = {"v": 1, "session": house.session, "bidder": bidder.id, "head": (await house.view(client))["head"]}
    proof = {"certificate": "00" * 32, "state": "good", "evidence": "00" * 32}
    answer = await house.act(client, "CheckIn", statement=sign(said, "checkin", bidder.sign), proof=proof)
    assert answer.status_code == 400, answer.text


async def test_a_bid_is_withdrawn_by_a_statement_about_that_bid_and_a_retry_is_answered_alike(house: House) -> None:
    ((bidder, sealed),) = await house.receive_bids(1)
    client = await house.bidder(bidder)

    def statement(header: str) -> str:
        said = {"v": 1, "session": house.session, "bidder": bidder.id, "header_sha256": header}
        return sign(said, "withdraw", bidder.sign)

    wrong = await house.act(client, "WithdrawBid", statement=statement("0" * 64))
    assert wrong.json()["code"] == "wrong_statement"
    body = {"command": "WithdrawBid", "statement": statement(sealed.bid.header_sha256)}
    key = a_key()
    for _ in range(2):
        answer = await client.post(f"{house.path}/commands", json=body, headers=key)
        assert answer.json() == {"events": []}, answer.text
    assert (await client.get(f"{house.path}/uploads/mine")).json()["bid"] is None


async def someone(house: House, who: str) -> httpx.AsyncClient:
    """Return a program of somebody of this role; a bidder has a bid."""
    if who == "public":
        return house.client()
    if who == "bidder":
        bidder = a_bidder(NAMES[0])
        client = await house.bidder(bidder)
        await house.submit(client, a_bid(bidder))
        return client
    return await house.staff(who)
