"""The log over HTTP: checkpoints, proofs and tiles that a stranger checks; two witnesses on real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from crypto.digest import leaf_hash, root, verify_consistency
from crypto.signing import HallPublicKey
from crypto.tlog import (
    Checkpoint,
    VerifierKey,
    open_checkpoint,
    read_entry_bundle,
    read_policy,
    read_proof,
    sign_checkpoint,
)
from crypto.tlog.notes import unhash
from crypto.tlog.tiles import tiles_of
from tests.support.house import T0, TENDER, House, TurnedClock, a_house
from tests.support.witnesses import answered
from web.cli import doctor
from web.demo.witnesses import NAMES, two_witnesses
from web.outside.witnessing import read_witnesses
from web.settings import Settings, SettingsRefused


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A hall with two witnesses and an opening of three bids, just after T0."""
    folder, clock = Settings(data_dir=tmp_path / "hall"), TurnedClock()
    async with (
        two_witnesses(tmp_path, folder, clock) as policy,
        a_house(tmp_path, clock=clock, witnesses_file=policy) as house,
    ):
        await house.announce()
        await house.receive_bids(3)
        host = await house.staff("host")
        await house.turn(T0 - timedelta(minutes=20))
        assert (await house.act(host, "TakeChair")).status_code == 200
        await house.turn(T0 + timedelta(seconds=1))
        await house.services.sessions.idle()
        await answered(house.services.notary)
        yield house


def key(house: House) -> HallPublicKey:
    return house.services.hall_keys.newest.public


async def test_the_newest_checkpoint_is_signed_over_every_event(house: House) -> None:
    async with house.client() as client:
        answer = await client.get(f"{house.path}/log/checkpoint")
        vkey = (await client.get("/api/v1/log-key")).text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "max-age=1" in answer.headers["cache-control"]
    origin = f"{house.services.settings.hall_name}/s/{house.session}"
    checkpoint = open_checkpoint(answer.text, key(house), origin)
    records = await house.services.sessions.events(house.session)
    assert checkpoint.size == len(records)
    assert checkpoint.root == root([leaf_hash(bytes.fromhex(record.digest)) for record in records])
    stated = VerifierKey.parse(vkey.strip())
    assert (stated.name, stated.raw) == (house.services.settings.hall_name, key(house).raw)


async def test_an_event_has_its_proof_from_the_moment_it_is_there(house: House) -> None:
    async with house.client() as client:
        await client.get(f"{house.path}/log/checkpoint")  # what everybody else gets for the next second
        before = len(await house.services.sessions.events(house.session))
        host = await house.staff("host")
        assert (await house.act(host, "Advance", step="decrypt")).status_code == 200
        assert len(await house.services.sessions.events(house.session)) > before
        answer = await client.get(f"{house.path}/log/proof/{before + 1}")
    assert answer.status_code == 200
    assert read_proof(answer.text).index == before


async def test_the_frozen_set_is_held_by_both_and_the_page_says_so(house: House) -> None:
    async with house.client() as client:
        watch = (await house.view(client))["watch"]
        page = await client.get(f"/s/{house.session}?lang=en")
    assert (watch["state"], watch["held"], watch["of"], watch["ready"]) == ("held", 2, 2, True)
    assert {one["name"] for one in watch["witnesses"].values()} == set(NAMES)
    assert watch["points"]["close"]["held"] == 2
    assert "Held by witnesses outside" in page.text


async def test_the_proof_of_an_event_leads_to_a_cosigned_checkpoint(house: House) -> None:
    records = await house.services.sessions.events(house.session)
    _, policy = read_policy((house.services.settings.witnesses_file or Path()).read_text("utf-8"))
    origin = f"{house.services.settings.hall_name}/s/{house.session}"
    async with house.client() as client:
        for number in (1, 5):
            answer = await client.get(f"{house.path}/log/proof/{number}")
            proof = read_proof(answer.text)
            proof.verify(bytes.fromhex(records[number - 1].digest), key(house), origin)
            assert set(policy.require(proof.checkpoint)) == set(NAMES)
        newest = await client.get(f"{house.path}/log/proof/{len(records)}")
        assert read_proof(newest.text).index == len(records) - 1
        for number in (0, len(records) + 1):
            assert (await client.get(f"{house.path}/log/proof/{number}")).status_code == 404


async def test_the_log_is_shown_to_have_only_grown(house: House) -> None:
    tree = await house.services.opening_log.tree(house.session)
    new = len(tree)
    async with house.client() as client:
        for old in (1, 3, new):
            answer = await client.get(f"{house.path}/log/consistency", params={"old": old, "new": new})
            proof = [unhash(line) for line in answer.text.splitlines()]
            verify_consistency(old, tree.root(old), new, tree.root(new), proof)
            assert "immutable" in answer.headers["cache-control"]
        for old, to in ((5, 4), (1, new + 1), (-1, 2)):
            refused = await client.get(f"{house.path}/log/consistency", params={"old": old, "new": to})
            assert refused.status_code == 404


async def test_the_tiles_are_the_log(house: House) -> None:
    records = await house.services.sessions.events(house.session)
    entries = [bytes.fromhex(record.digest) for record in records]
    async with house.client() as client:
        tiles = {str(tile): await client.get(f"{house.path}/log/tile/{tile}") for tile in tiles_of(len(records))}
        gone = [
            await client.get(f"{house.path}/log/tile/{path}")
            for path in (
                f"0/000.p/{len(records) + 1}",
                "0/000",
                "1/000.p/1",
                "entries/000",
                "0/0",
                "nonsense",
                "00/000",
            )
        ]
    width = len(records)
    assert tiles[f"0/000.p/{width}"].content == b"".join(map(leaf_hash, entries))
    assert read_entry_bundle(tiles[f"entries/000.p/{width}"].content) == entries
    assert {answer.status_code for answer in gone} == {404}


async def test_a_signed_checkpoint_is_found_by_its_size(house: House) -> None:
    said = await house.services.notary.answers(house.session)
    async with house.client() as client:
        answer = await client.get(f"{house.path}/log/checkpoint/{said[0].size}")
        assert answer.text.count("— ") == 3
        assert (await client.get(f"{house.path}/log/checkpoint/99999")).status_code == 404


async def test_a_convicted_hall_says_so_and_is_not_ready(house: House) -> None:
    await house.services.stores.checkpoints.convict(house.session, "w.example", "the note")
    house.services.opening_log._logs.clear()  # what another worker has not in memory
    async with house.client() as client:
        answer = await client.get(f"{house.path}/log/checkpoint", headers={"accept": "application/json"})
        ready = await client.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "log_doubted")
    assert (ready.status_code, ready.json()["log"]) == (503, False)
    assert "w.example" in ready.json()["reasons"][0]


async def test_another_log_shown_after_the_end_stands_on_the_page_and_on_the_record(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house, house.client() as client:
        await house.announce()
        await house.turn(T0 + timedelta(seconds=1))  # nobody has bid: it fails, and is over
        pages = [f"/s/{house.session}?lang=en", f"/s/{house.session}/record?lang=en"]
        before = [(await client.get(page)).text for page in pages]
        origin = f"{house.services.settings.hall_name}/s/{house.session}"
        other = sign_checkpoint(Checkpoint(origin=origin, size=99, root=b"y" * 32), house.services.hall_keys.newest)
        await house.services.stores.checkpoints.convict(house.session, "w.example", other)
        house.services.notary._convictions = None  # what was read a moment ago
        after = [(await client.get(page)).text for page in pages]
    told = "w.example has a checkpoint of 99 entries under"
    assert ([told in text for text in before], [told in text for text in after]) == ([False] * 2, [True] * 2)


async def test_a_hall_without_witnesses_has_a_log_too(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house, house.client() as client:
        await house.announce()
        assert (await client.get(f"{house.path}/log/checkpoint")).status_code == 200
        assert (await house.view(client)).get("watch") is None
        assert (await client.get("/api/v1/sessions/nothing/log/checkpoint")).status_code == 404


@pytest.mark.parametrize("text", ["quorum none\nquorum none\n", "witness a nonsense\nquorum a\n", None])
def test_a_wrong_file_of_witnesses_is_refused_at_the_start(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "witnesses"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    settings = Settings(data_dir=tmp_path, witnesses_file=file)
    with pytest.raises(SettingsRefused, match="witnesses_file"):
        read_witnesses(settings, authorities=())


async def test_a_witness_without_an_address_is_refused_at_the_start(tmp_path: Path) -> None:
    async with two_witnesses(tmp_path, Settings(data_dir=tmp_path / "hall")) as policy:
        lines = policy.read_text("utf-8").splitlines()
    policy.write_text("\n".join([lines[0].rpartition(" ")[0], "quorum w1", ""]), encoding="utf-8")
    with pytest.raises(SettingsRefused, match="no address"):
        read_witnesses(Settings(data_dir=tmp_path, witnesses_file=policy), authorities=())


async def test_the_doctor_asks_every_witness_whether_it_is_there(tmp_path: Path) -> None:
    folder = Settings(data_dir=tmp_path / "hall")
    assert not (await doctor.witnesses(folder))[0].ok
    async with two_witnesses(tmp_path, folder) as policy:
        settings = Settings(data_dir=tmp_path / "hall", witnesses_file=policy)
        (finding,) = await doctor.witnesses(settings)
        assert (finding.ok, finding.found) == (True, "2 of 2 answer, 2 are needed")
    (finding,) = await doctor.witnesses(settings)
    assert not finding.ok
    assert finding.found.startswith("0 of 2")
    policy.write_text("nonsense", encoding="utf-8")
    (finding,) = await doctor.witnesses(settings)
    assert "witnesses_file" in finding.found


async def test_rules_that_wait_for_witnesses_are_not_announced_in_a_hall_without_any(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        host = await house.staff("host")
        tender = {**TENDER, "pack": "intl-two-role"}
        refused = await host.post("/api/v1/sessions", json=tender)
        assert (refused.status_code, refused.json()["rule"]) == (400, "witnesses_missing")
        rehearsed = await host.post("/api/v1/sessions", json={**tender, "rehearsal": True})
        assert rehearsed.status_code == 201
