"""The figures tell the operator how the hall does, and nobody how many bids there are before T0."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from hall.views.audience import PUBLIC, Audience
from hall.wire.frames import Form
from sessions.ids import BidderId
from sessions.plan import AnchorKind
from sessions.ports import HoldsAnother, NotAnchored, Said, ToAnchor
from sessions.roles import Role
from tests.support.bidders import a_bidder
from tests.support.house import T0, House, a_bid, a_house
from tests.support.traces import Search
from web.metrics.document import document
from web.metrics.door import MetricsDoor
from web.metrics.instruments import Metrics
from web.metrics.measured import MeasuredAnchor
from web.settings import Settings, SettingsRefused, load

NOISE = ("process_", "kaibiao_loop_lag_")
"""What moves with everything a machine does, and is coarse for that reason."""


def page(metrics: Metrics) -> list[str]:
    return [line for line in generate_latest(metrics.registry).decode().splitlines() if not line.startswith(NOISE)]


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def reading(house: House, audience: Audience, form: Form) -> AsyncIterator[list[bytes]]:
    """Follow the opening through a door until the block ends; give what was written."""
    read: list[bytes] = []
    seat = await house.services.hub.attach(
        house.session, audience, 0, form=form, write=read.append, closed=lambda *_: None
    )
    seat.resume()
    try:
        assert read
        yield read
    finally:
        seat.leave()


async def a_bidders_day(house: House, number: int) -> None:
    """Log in, look, follow, upload a bid, have one refused, replace it, withdraw it or check in."""
    bidder = a_bidder(f"第{number}投标人有限公司")
    client = await house.bidder(bidder)
    await client.get(f"/seat/{house.session}")
    audience = Audience(Role.BIDDER, BidderId(bidder.id))
    async with reading(house, audience, Form.SSE):
        broken = replace(a_bid(bidder), data=b"%PDF-1.7" + b"x" * 992)
        assert (await house.submit(client, broken)).status_code == 409
        assert (await house.submit(client, a_bid(bidder))).status_code == 200
        assert (await house.act(client, "SignRecord")).status_code != 200  # too early: a refusal
    assert (await house.submit(client, a_bid(bidder, "1290000.00"))).status_code == 200


async def test_before_t0_the_figures_are_the_same_without_bids_with_one_and_with_twelve(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.announce()
        async with reading(house, PUBLIC, Form.SSE) as read:
            while not any(b'"watching"' in chunk for chunk in read):  # noqa: ASYNC110  # a second, and then no more
                await asyncio.sleep(0.02)
            before = page(house.services.metrics)
            await a_bidders_day(house, 0)
            assert page(house.services.metrics) == before
            for number in range(1, 12):
                await a_bidders_day(house, number)
            assert page(house.services.metrics) == before


async def test_a_figure_moves_when_staff_act_and_when_the_list_is_public(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.announce()
        host = await house.staff("host")
        metrics = house.services.metrics
        appended = value(metrics, "kaibiao_append_seconds_count")
        house.clock.turn(T0 - timedelta(minutes=10))
        assert (await house.act(host, "TakeChair")).status_code == 200
        assert (await house.act(host, "Advance", step="ceiling")).status_code == 409
        assert value(metrics, "kaibiao_commands_total", outcome="done") == 1
        assert sum(_commands(metrics).values()) == 2
        assert value(metrics, "kaibiao_append_seconds_count") > appended
        await house.receive_bids(3)
        assert value(metrics, "kaibiao_bids_listed_total") == 0
        await house.turn(T0 + timedelta(seconds=1))
        assert value(metrics, "kaibiao_bids_listed_total") == 3


def _commands(metrics: Metrics) -> dict[str, float]:
    families = text_string_to_metric_families(generate_latest(metrics.registry).decode())
    found = next(family for family in families if family.name == "kaibiao_commands")
    return {sample.labels["outcome"]: sample.value for sample in found.samples if sample.name.endswith("_total")}


async def test_readers_are_counted_by_door_and_bidders_only_once_they_are_listed(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.announce()
        ((bidder, _), *_) = await house.receive_bids(3)
        metrics = house.services.metrics
        audience = Audience(Role.BIDDER, BidderId(bidder.id))
        async with reading(house, PUBLIC, Form.SSE), reading(house, audience, Form.WEBSOCKET):
            assert value(metrics, "kaibiao_rooms") == 1
            assert value(metrics, "kaibiao_readers", door="sse", who="public") == 1
            assert value(metrics, "kaibiao_readers", door="websocket", who="bidder") == 0
            await house.turn(T0 + timedelta(seconds=1))
            assert value(metrics, "kaibiao_readers", door="websocket", who="bidder") == 1
        assert value(metrics, "kaibiao_readers", door="sse", who="public") == 0


async def test_what_was_sent_and_who_was_cut_off_counts_for_bidders_only_once_they_are_listed(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.announce()
        ((bidder, _), *_) = await house.receive_bids(3)
        metrics, hub = house.services.metrics, house.services.hub

        async def read_and_stall(audience: Audience) -> tuple[int, float, float]:
            """Follow for a moment, take nothing more, and return what was written and what the figures grew by."""
            read: list[bytes] = []
            before = value(metrics, "kaibiao_sent_bytes_total"), value(metrics, "kaibiao_readers_cut_total")
            seat = await hub.attach(
                house.session, audience, 0, form=Form.LINES, write=read.append, closed=lambda _: seat.leave()
            )
            seat.resume()
            seat.pause()
            (await hub.warm(house.session)).seats.cut(seat, 1013)
            after = value(metrics, "kaibiao_sent_bytes_total"), value(metrics, "kaibiao_readers_cut_total")
            return sum(map(len, read)), after[0] - before[0], after[1] - before[1]

        mine = Audience(Role.BIDDER, BidderId(bidder.id))
        written, sent, cut = await read_and_stall(PUBLIC)
        assert (sent, cut) == (written, 1)
        assert (await read_and_stall(mine))[1:] == (0, 0)
        await house.turn(T0 + timedelta(seconds=1))
        written, sent, cut = await read_and_stall(mine)
        assert (sent, cut) == (written, 1)


def test_no_figure_has_a_label_that_names_a_session_or_a_person() -> None:
    assert {label for labels in _labels() for label in labels} == {"outcome", "kind", "of", "door", "who"}


def _labels() -> Iterator[list[str]]:
    for line in document().splitlines():
        if line.startswith("| `"):
            yield [label for label in line.split("|")[3].strip().split(", ") if label]


def test_every_figure_has_a_unit_or_counts_something_and_is_documented() -> None:
    assert Path("docs/metrics.md").read_text("utf-8") == document()
    for name in re.findall(r"^\| `([a-z_]+)`", document(), re.M):
        counts = ("_total", "_events", "_rooms", "_readers", "_ready", "_fds")
        assert name.endswith(("_seconds", "_bytes", *counts)), name


async def test_the_door_answers_with_the_figures_and_nothing_else() -> None:
    metrics = Metrics()
    door = MetricsDoor(metrics.registry, "127.0.0.1", 0)
    await door.open()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{door.port}") as client:
            answer = await client.get("/metrics")
            families = {family.name for family in text_string_to_metric_families(answer.text)}
            other, posted = await client.get("/"), await client.post("/metrics")
    finally:
        await door.close()
    assert "kaibiao_append_seconds" in families
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert (other.status_code, posted.status_code) == (404, 404)


async def test_the_door_is_shut_unless_the_operator_opens_it_and_then_only_for_this_machine(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house, house.client() as client:
        assert house.services.metrics_door is None
        assert (await client.get("/metrics")).status_code == 404
    assert Settings(metrics_listen="9464").metrics_address == ("127.0.0.1", 9464)
    assert Settings(metrics_listen="10.0.0.5:9464").metrics_address == ("10.0.0.5", 9464)
    assert Settings(metrics_listen="[::1]:9464").metrics_address == ("::1", 9464)
    with pytest.raises(SettingsRefused):
        load(metrics_listen="everywhere")


async def test_a_hall_with_the_door_open_shows_what_its_readiness_found(tmp_path: Path) -> None:
    async with a_house(tmp_path, metrics_listen="0") as house, house.client() as client:
        door = house.services.metrics_door
        assert door is not None
        await client.get("/readyz")
        async with httpx.AsyncClient() as monitor:
            told = (await monitor.get(f"http://127.0.0.1:{door.port}/metrics")).text
    assert 'kaibiao_ready{of="database"} 1.0' in told


class Refusing:
    """A witness that never holds anything."""

    kind, name = AnchorKind.WITNESS, "w.example"

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def hold(self, asked: ToAnchor) -> Said:
        raise self._error


async def test_whom_the_hall_asks_outside_is_counted_by_how_they_answered() -> None:
    metrics = Metrics()
    for error in (NotAnchored("no"), HoldsAnother("note")):
        with pytest.raises(type(error)):
            await MeasuredAnchor(Refusing(error), metrics).hold(None)  # type: ignore[arg-type]
    assert value(metrics, "kaibiao_outside_calls_total", kind="witness", outcome="silent") == 1
    assert value(metrics, "kaibiao_outside_calls_total", kind="witness", outcome="holds_another") == 1
    assert value(metrics, "kaibiao_outside_seconds_count", kind="witness") == 2


async def test_no_name_nor_price_of_a_bid_is_ever_among_the_figures(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.announce()
        bids = await house.receive_bids(3)
        await house.turn(T0 + timedelta(seconds=1))
        told = generate_latest(house.services.metrics.registry)
        hidden = {f"id {number}": bidder.id.encode() for number, (bidder, _) in enumerate(bids)}
        hidden |= {f"digest {n}": bytes.fromhex(sealed.bid.header_sha256) for n, (_, sealed) in enumerate(bids)}
    assert Search(hidden).in_bytes(told) == set()
    assert house.session.encode() not in told
