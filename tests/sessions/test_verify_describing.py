"""What a bundle says of itself, told without checking it."""

import pytest

from sessions.verify import describe
from sessions.zipped import NotOurs, pack
from tests.support.bundles import the_bundle, the_files


def test_a_bundle_tells_what_it_is_about() -> None:
    told = {line.label: line.value for line in describe(the_bundle()[0])}
    assert told["session"] == "gx-1"
    assert told["bids received"] == "5"
    assert told["row 1"] == "华东建设有限公司: 1,000,000.00 CNY"
    assert told["row 5"].endswith(": B1")
    assert told["ended with"] == "SessionEnded"
    assert told["hall key"] == the_bundle()[1].public.kid


def test_a_damaged_member_is_passed_over() -> None:
    told = {line.label for line in describe(pack({**the_files(), "plan.json": b"{", "events/opening.jsonl": b"x"}))}
    assert "session" not in told
    assert "opening time" in told


def test_another_file_is_no_bundle() -> None:
    with pytest.raises(NotOurs):
        describe(b"PK\x03\x04")
