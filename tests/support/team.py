"""Where the halls of tests keep what they keep: Solo by default; with ``KAIBIAO_TEST_TEAM=1`` as a city's does."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support import postgres

TEAM = os.environ.get("KAIBIAO_TEST_TEAM") == "1"


def database_url(folder: Path) -> str:
    """Return the address of the database of a hall in ``folder``: the same folder, the same database."""
    if TEAM:
        cluster = postgres.cluster()
        return cluster.url(cluster.database(folder))
    return f"sqlite+aiosqlite:///{folder.absolute() / 'kaibiao.db'}"
