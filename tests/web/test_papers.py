"""The record as a PDF from a whole hall: when there is one, when it is sealed, and that the sealed one stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.authority import to_pem, to_pkcs12
from crypto.paths import Trust
from sessions.clock import SystemClock
from sessions.outside.stamping import Stamping, Unreachable
from sessions.papers.seal import DocumentSeal
from tests.support.house import T0, House, a_house
from tests.support.sealing import ROOT, SEAL, a_seal
from web.downloads.papers import AGAIN, Papers, SealUnusable, document_seal
from web.outside.stamps import post
from web.settings import Settings


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(tmp_path) as opened:
        await opened.announce()
        yield opened


async def too_few_bids(house: House) -> None:
    """The shortest way to the end of an opening."""
    await house.receive_bids(1)
    await house.turn(T0 + timedelta(seconds=1))
    assert (await house.services.sessions.state(house.session)).status == "failed"


def papers(house: House, seal: DocumentSeal | None) -> Papers:
    services = house.services
    return Papers(
        sessions=services.sessions,
        blobs=services.stores.blobs,
        clock=services.clock,
        origin="https://hall.example.org",
        seal=seal,
    )


async def test_before_the_record_is_drawn_there_is_no_paper(house: House) -> None:
    answer = await house.client().get(f"/s/{house.session}/record.pdf")
    assert answer.status_code == 409
    assert answer.json()["code"] == "not_drawn"


async def test_anybody_gets_the_paper_in_either_language(house: House) -> None:
    await too_few_bids(house)
    public = house.client()
    zh = await public.get(f"/s/{house.session}/record.pdf?lang=zh")
    en = await public.get(f"/s/{house.session}/record.pdf?lang=en")
    assert zh.content.startswith(b"%PDF-")
    assert zh.headers["content-type"] == "application/pdf"
    assert zh.content != en.content
    again = await public.get(f"/s/{house.session}/record.pdf?lang=zh", headers={"if-none-match": zh.headers["etag"]})
    assert again.status_code == 304


async def test_a_session_that_nobody_announced_has_no_paper(house: House) -> None:
    assert (await house.client().get("/s/nowhere/record.pdf")).status_code == 404


async def test_the_first_sealed_paper_is_the_one_that_stays(house: House) -> None:
    await too_few_bids(house)
    first = await papers(house, a_seal()).record(house.session, "zh")
    assert first.sealed
    assert b"/ETSI.CAdES.detached" in first.content
    after_a_restart = await papers(house, a_seal()).record(house.session, "zh")
    assert after_a_restart.content == first.content


async def test_a_paper_without_a_seal_is_the_same_each_time(house: House) -> None:
    await too_few_bids(house)
    first = await papers(house, None).record(house.session, "zh")
    assert not first.sealed
    assert (await papers(house, None).record(house.session, "zh")).content == first.content


async def test_while_the_authorities_are_silent_the_paper_goes_out_unsealed_and_is_sealed_later(house: House) -> None:
    await too_few_bids(house)
    honest = a_seal()
    silent = True

    async def stamp(digest: bytes) -> bytes:
        if silent:
            raise Unreachable("no route")
        return await honest.stamp(digest)

    desk = papers(house, a_seal(stamp=stamp))
    first = await desk.record(house.session, "en")
    assert not first.sealed
    silent = False
    assert await desk.record(house.session, "en") == first, "the authorities are not asked with every request"
    await house.turn(house.services.clock.now() + AGAIN)
    assert (await desk.record(house.session, "en")).sealed


async def test_a_crowd_costs_one_paper(house: House) -> None:
    await too_few_bids(house)
    asked: list[bytes] = []

    async def stamp(digest: bytes) -> bytes:
        asked.append(digest)
        return await a_seal().stamp(digest)

    desk = papers(house, a_seal(stamp=stamp))
    first = await desk.record(house.session, "zh")
    once = len(asked)
    other = papers(house, a_seal(stamp=stamp))  # as after a restart
    crowd = await asyncio.gather(*(other.record(house.session, "zh") for _ in range(20)))
    assert {made.content for made in crowd} == {first.content}
    crowd = await asyncio.gather(*(other.record(house.session, "en") for _ in range(20)))
    assert len({made.content for made in crowd}) == 1
    assert len(asked) == 2 * once


# The file of the seal.


def settings(folder: Path, file: bytes, password: str | None) -> Settings:
    (folder / "seal.p12").write_bytes(file)
    if password is not None:
        (folder / "password").write_text(password + "\n")
    return Settings(
        data_dir=folder,
        seal_file=folder / "seal.p12",
        seal_password_file=None if password is None else folder / "password",
    )


NOBODY = Stamping(authorities=(), post=post, clock=SystemClock())


def test_the_seal_is_read_from_its_file(tmp_path: Path) -> None:
    seal = document_seal(
        settings(tmp_path, to_pkcs12(SEAL, "印", rounds=1000), "印"), lambda: Trust(anchors=()), NOBODY
    )
    assert seal is not None
    assert seal.name == "城东区公共资源交易中心"
    assert seal.trust().anchors == (ROOT.certificate,), "the root that came with the seal counts for the seal"


def test_without_a_file_there_is_no_seal(tmp_path: Path) -> None:
    assert document_seal(Settings(data_dir=tmp_path), lambda: Trust(anchors=()), NOBODY) is None


@pytest.mark.parametrize(
    ("file", "password"),
    [
        (to_pkcs12(SEAL, "right", rounds=1000), "wrong"),
        (to_pkcs12(SEAL, "right", rounds=1000), None),
        (SEAL.certificate.public_bytes(Encoding.PEM), None),
        (b"nonsense", None),
    ],
)
def test_a_seal_that_does_not_open_is_named_at_the_start(tmp_path: Path, file: bytes, password: str | None) -> None:
    with pytest.raises(SealUnusable):
        document_seal(settings(tmp_path, file, password), lambda: Trust(anchors=()), NOBODY)


def test_a_seal_whose_file_is_missing_is_named_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(SealUnusable):
        document_seal(Settings(data_dir=tmp_path, seal_file=tmp_path / "none.p12"), lambda: Trust(anchors=()), NOBODY)


def test_a_seal_in_the_clear_is_read_too(tmp_path: Path) -> None:
    assert document_seal(settings(tmp_path, to_pem(SEAL), None), lambda: Trust(anchors=()), NOBODY) is not None


# The bidder's receipt.


async def test_a_bidder_gets_its_own_receipt_and_nobody_elses(house: House) -> None:
    ((bidder, _), (other, _)) = await house.receive_bids(2)
    mine = await (await house.bidder(bidder)).get(f"/seat/{house.session}/receipt.pdf")
    theirs = await (await house.bidder(other)).get(f"/seat/{house.session}/receipt.pdf")
    assert mine.headers["content-type"] == "application/pdf"
    assert mine.headers["cache-control"] == "private, no-store"
    assert mine.content != theirs.content
    assert (await house.client().get(f"/seat/{house.session}/receipt.pdf")).status_code == 401


async def test_without_a_bid_there_is_no_receipt(house: House) -> None:
    answer = await (await house.bidder()).get(f"/seat/{house.session}/receipt.pdf")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_receipt")


async def test_nothing_is_asked_outside_for_a_receipt_before_the_opening_time(house: House) -> None:
    """Whoever gives the timestamps could otherwise count the bids."""
    await house.receive_bids(3)
    asked = 0

    async def stamp(digest: bytes) -> bytes:
        nonlocal asked
        asked += 1
        return await a_seal().stamp(digest)

    desk, services = papers(house, a_seal(stamp=stamp)), house.services
    ((_, bid), *_) = (await services.sessions.intake(house.session)).bids.items()
    (answer, *_) = await services.stores.intake.answers(house.session, bid.bidder)
    file = await services.receipt_proofs.file(house.session, answer.statement)
    before = await desk.receipt(file, await services.sessions.state(house.session), "甲公司", "zh")
    assert (before.sealed, asked) == (False, 0)
    await house.turn(T0 + timedelta(seconds=1))
    after = await desk.receipt(file, await services.sessions.state(house.session), "甲公司", "zh")
    assert after.sealed
    assert asked > 0
