"""Many openings put off at once, over real HTTP: by `kaibiao postpone`, and by the page that needs no script."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from sessions.shape import moment
from tests.support.house import PASSWORD, T0
from tests.support.ports import free_port
from tests.support.served import Served, served

ROOT = Path(__file__).parents[2]
HTML = {"accept": "text/html", "accept-language": "en"}


async def kaibiao_postpone(hall: Served, folder: Path, account: str, *words: str) -> tuple[int, list[str], str]:
    """Run the command as this member of staff; return its status and what it said."""
    login = folder / f"{account}.txt"
    login.write_text(f"{PASSWORD}\n{hall.house.one_time_code(account)}\n", encoding="utf-8")
    given = ["postpone", "--url", hall.url, "--account", account, "--login-file", str(login), *words]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "web.cli",
        *given,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode().splitlines(), complained.decode()


async def times(hall: Served) -> dict[str, int]:
    """By how many minutes each opening was put off."""
    async with hall.client() as client:
        views = {name: (await client.get(f"/api/v1/sessions/{name}")).json()["view"] for name in ("zb-1", "zb-2")}
    return {name: int((moment(view["t0"]) - T0).total_seconds()) // 60 for name, view in views.items()}


@pytest.mark.slow
async def test_two_persons_put_off_what_an_outage_touched_by_the_command_and_by_the_page(tmp_path: Path) -> None:
    async with served(tmp_path, port=free_port()) as hall:
        for number in (1, 2):
            await hall.house.announce(session=f"zb-{number}", id=f"ZB-2026-00{number}")
        for account in ("deputy", "supervisor"):
            await hall.house.account(account)
        status, said, _ = await kaibiao_postpone(
            hall, tmp_path, "host", "--all", "--minutes", "90", "--reason", "停电"
        )
        assert (status, [line.split(":")[0] for line in said]) == (0, ["done zb-1", "done zb-2"])
        assert await times(hall) == {"zb-1": 0, "zb-2": 0}, "one person alone puts nothing off"

        async with hall.client(await hall.house.staff("supervisor")) as client:
            page = await client.get("/postpone", headers=HTML)
            assert page.text.count("Drainage works") == 2
            assert "Agree to put these off" in page.text
            assert "Propose to put these off" not in page.text, "a supervisor proposes nothing"
            done = await client.post("/postpone", data={"do": "agree", "s.zb-1": "on"}, headers=HTML)
            assert (done.status_code, "Done in 1 openings." in done.text) == (200, True)
        assert await times(hall) == {"zb-1": 90, "zb-2": 0}

        status, said, _ = await kaibiao_postpone(hall, tmp_path, "supervisor", "--session", "zb-2", "--approve")
        assert (status, [line.split(":")[0] for line in said]) == (0, ["done zb-2"])
        assert await times(hall) == {"zb-1": 90, "zb-2": 90}

        status, said, why = await kaibiao_postpone(hall, tmp_path, "deputy", "--all", "--approve")
        assert (status, {line.split()[0] for line in said}) == (1, {"nothing"})
        assert "Nothing was put off." in why


async def test_the_page_is_for_staff_and_asks_for_a_reason(tmp_path: Path) -> None:
    async with served(tmp_path, port=free_port()) as hall:
        await hall.house.announce()
        async with hall.client() as nobody:
            assert (await nobody.get("/postpone", headers=HTML)).status_code == 303
        async with hall.client(await hall.house.staff("host")) as host:
            form = {"do": "propose", "minutes": "30", "reason": " ", "s.zb-1": "on"}
            assert (await host.post("/postpone", data=form, headers=HTML)).status_code == 400
            done = await host.post("/postpone", data=form | {"reason": "机房停电"}, headers=HTML)
            assert "you proposed" in done.text
