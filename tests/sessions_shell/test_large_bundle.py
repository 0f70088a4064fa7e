"""A bundle with much film is made, handed out, described and checked in little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

MOST = 50_000_000
"""Bytes; a film that is held once already takes more than twice as many."""


@pytest.mark.slow
def test_a_bundle_with_more_than_100_mb_of_film_takes_less_than_half_of_that_in_memory(tmp_path: Path) -> None:
    """In a process of its own: what one needed most is remembered for as long as it lives."""
    (tmp_path / "hall").mkdir()
    command = [sys.executable, "-m", "tests.support.large_bundle", str(tmp_path)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert told["size"] > 100_000_000
    assert told["checks"].keys() == {"recording.files"}, told["checks"]  # the others hold
    assert told["checks"]["recording.files"].startswith("1 files, 120 fragments")
    assert told["told"] > 5
    assert max(told["took"].values()) < MOST, told["took"]
