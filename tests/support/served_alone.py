"""A hall for a process of its own: made here, with an opening whose check-in is open, and served over there."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sessions.ids import SessionId
from sessions.roles import Role
from sessions.store.migrations import migrate
from tests.support.ceremony import a_plan
from tests.support.ports import free_port
from web.bootstrap import build
from web.settings import Settings

ROOT = Path(__file__).parents[2]
SESSION = SessionId("gx-1")


async def announced(folder: Path, name: str, role: Role, t0_in: timedelta) -> tuple[Settings, str]:
    """Announce an opening in ``t0_in``, stop, and return the hall's settings and a ticket for its ``role``."""
    settings = Settings(data_dir=folder / "hall", port=free_port(), rehearsal_allowed=True)
    services = build(settings)
    await migrate(services.database)
    await services.start()
    t0 = (services.clock.now() + t0_in).replace(microsecond=0)
    plan = replace(a_plan(), session=SESSION, t0=t0)
    account = next(seat.account for seat in plan.seats if seat.role is role)
    await services.sessions.create(plan)
    await services.accounts.create(account, name, "correct horse battery", {role})
    ticket = await services.identity.create_ticket(account=account)
    await services.stop()
    return settings, ticket


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """Return what a process that serves this hall is told, and nothing of what this one was."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("KAIBIAO_")}
    return ours | {
        "PYTHONPATH": str(ROOT),
        "KAIBIAO_DATA_DIR": str(settings.data_dir),
        "KAIBIAO_PORT": str(settings.port),
        "KAIBIAO_REHEARSAL_ALLOWED": "true",
        **more,
    }
