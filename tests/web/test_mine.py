"""Where a bidder wants to be told: kept on its own page, erased there, and never a trace of who bids."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from crypto.certificates import Usage, bidder_id
from sessions.notices.due import Contact
from tests.support.bidders import Bidder, a_bidder
from tests.support.house import T0, House, a_bid, a_house, log_in
from tests.support.mail import Letterbox, a_mail_server

ADDRESS = "bids@huadong.example"


@asynccontextmanager
async def a_house_with_mail(folder: Path, **more: Any) -> AsyncIterator[tuple[House, Letterbox]]:
    async with a_mail_server() as box:
        mail = {"mail_url": f"smtp://127.0.0.1:{box.port}", "mail_from": "hall@example.org"}
        async with a_house(folder, **mail, **more) as house:
            yield house, box


def pem(bidder: Bidder) -> str:
    return bidder.encrypt.certificate.public_bytes(Encoding.PEM).decode()


async def test_a_bidder_names_its_address_and_both_its_certificates(tmp_path: Path) -> None:
    async with a_house_with_mail(tmp_path) as (house, _):
        bidder, other = a_bidder(), a_bidder("江南路桥有限公司")
        client, rival = await house.bidder(bidder), await house.bidder(other)
        form = {"address": f" {ADDRESS.replace('@', '＠')} ", "certificate": pem(bidder), "do": "keep"}
        answer = await client.post("/me/contact", data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, "/me?contact=kept#contact")
        page = await client.get("/me?contact=kept&lang=en")
        assert ADDRESS in page.text
        assert "comes on the next morning" in page.text
        assert page.headers["cache-control"].endswith("no-store")
        assert "加密证书" in (await client.get("/me?lang=zh")).text
        assert ADDRESS not in (await rival.get("/me")).text
        kept = await house.services.contacts.get(bidder_id(bidder.sign.certificate))
    assert kept is not None
    assert {one.usage for one in kept.held} == {Usage.SIGN, Usage.ENCRYPT}


async def test_what_is_wrong_is_said_at_its_field_and_nothing_is_kept(tmp_path: Path) -> None:
    async with a_house_with_mail(tmp_path) as (house, _):
        bidder, other = a_bidder(), a_bidder("江南路桥有限公司")
        client = await house.bidder(bidder)
        for address, certificate, fault in (
            ("nobody", "", "address"),
            (f"{ADDRESS}\r\nBcc: all@example.org", "", "address"),
            (ADDRESS, "not a certificate", "certificate"),
            (ADDRESS, pem(other), "certificate"),
            (ADDRESS, bidder.sign.certificate.public_bytes(Encoding.PEM).decode(), "certificate"),
        ):
            answer = await client.post("/me/contact", data={"address": address, "certificate": certificate})
            assert answer.status_code == 400
            assert f'id="{fault}-fault"' in answer.text
            assert f'href="#{fault}"' in answer.text
        assert await house.services.contacts.every() == ()


async def test_an_address_is_erased_by_its_owner_even_where_no_mail_is_sent_any_more(tmp_path: Path) -> None:
    async with a_house_with_mail(tmp_path) as (house, _):
        client = await house.bidder()
        await client.post("/me/contact", data={"address": ADDRESS})
        object.__setattr__(house.services, "mailing", None)
        page = (await client.get("/me")).text
        assert ADDRESS in page
        assert 'name="address"' not in page
        answer = await client.post("/me/contact", data={"do": "erase"})
        assert answer.status_code == 303
        assert ADDRESS not in (await client.get("/me")).text
        assert await house.services.contacts.every() == ()


async def test_a_hall_without_mail_asks_nobody_for_an_address(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        client = await house.bidder()
        assert 'name="address"' not in (await client.get("/me")).text
        assert (await client.post("/me/contact", data={"address": ADDRESS})).status_code == 404


async def test_neither_staff_nor_strangers_nor_another_site_set_an_address(tmp_path: Path) -> None:
    async with a_house_with_mail(tmp_path) as (house, _):
        host = await house.staff("host")
        page = await host.get("/me")
        assert page.status_code == 200
        assert 'name="address"' not in page.text
        assert (await host.post("/me/contact", data={"address": ADDRESS})).status_code == 403
        async with house.client() as anybody:
            assert (await anybody.post("/me/contact", data={"address": ADDRESS})).status_code == 401
            assert (await anybody.get("/me")).status_code == 303
        client = await house.bidder()
        headers = {"sec-fetch-site": "cross-site"}
        answer = await client.post("/me/contact", data={"address": ADDRESS}, headers=headers)
        assert answer.status_code == 403
        assert await house.services.contacts.every() == ()


async def test_who_logs_in_with_a_renewed_certificate_is_told_of_that_one(tmp_path: Path) -> None:
    async with a_house_with_mail(tmp_path) as (house, _):
        bidder = a_bidder()
        client = await house.bidder(bidder)
        await client.post("/me/contact", data={"address": ADDRESS})
        (contact,) = await house.services.contacts.every()
        await house.services.contacts.keep(_ending(contact, house, timedelta(days=3)))
        async with house.client() as again:
            assert (await log_in(again, bidder)).status_code == 200
        assert await house.services.contacts.every() == (contact,)


async def test_a_mail_is_the_same_whether_its_reader_bids_or_not(tmp_path: Path) -> None:
    async with a_house_with_mail(tmp_path) as (house, box):
        house.clock.turn(T0 - timedelta(days=3))
        await house.announce()
        bids, stays = a_bidder(), a_bidder("江南路桥有限公司")
        for bidder, address in ((bids, "bids@x.example"), (stays, "stays@x.example")):
            client = await house.bidder(bidder)
            await client.post("/me/contact", data={"address": address})
            if bidder is bids:
                answer = await house.submit(client, a_bid(bidder))
                assert answer.status_code == 200, answer.text
        for contact in await house.services.contacts.every():
            await house.services.contacts.keep(_ending(contact, house, timedelta(days=2)))
        mailing = house.services.mailing
        assert mailing is not None
        house.clock.turn(timedelta(days=1))
        await mailing.look()
        assert sorted(box.addresses) == ["bids@x.example", "stays@x.example"]
        texts = []
        for message, bidder in zip(box.taken, _in_order(box, bids, stays), strict=True):
            text = message.get_content()
            assert f"/s/{house.session}" in text
            for number in (bidder_id(bidder.sign.certificate), f"{bidder.sign.certificate.serial_number:04X}"[-4:]):
                text = text.replace(number, "…")
            texts.append(text)
        assert texts[0] == texts[1]
        assert list(box.taken[0].keys()) == list(box.taken[1].keys())


def _in_order(box: Letterbox, bids: Bidder, stays: Bidder) -> list[Bidder]:
    return [bids if address.startswith("bids") else stays for address in box.addresses]


def _ending(contact: Contact, house: House, within: timedelta) -> Contact:
    ends = house.clock.now() + within
    return replace(contact, held=tuple(replace(one, ends=ends) for one in contact.held))
