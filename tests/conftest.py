"""Rules for every test: the same hypothesis settings everywhere, and no silent skip where skips are forbidden."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.support.team import TEAM

# The gate tries the same examples each time: what others find is found by hand, and by `--hypothesis-seed`.
GATE = bool(os.environ.get("CI") or os.environ.get("KAIBIAO_FORBID_SKIPS"))
settings.register_profile("kaibiao", deadline=None, derandomize=GATE, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kaibiao")

os.environ.setdefault("KAIBIAO_MEDIA", "off")  # picture and sound only where a test asks for them


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In Team mode leave out what says that it is about Solo alone: deselected, and counted as such."""
    left_out = [item for item in items if TEAM and item.get_closest_marker("solo")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> object:
    report = yield
    if os.environ.get("KAIBIAO_FORBID_SKIPS") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and skips are forbidden here: {report.longrepr}"
    return report
