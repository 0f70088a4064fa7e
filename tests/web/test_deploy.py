"""What is shipped to run a hall with: the systemd unit, the container, and the word between hall and systemd."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.commands import kaibiao
from tests.web.test_serving_commands import environment
from web.process.notify import Notifier
from web.process.pulse import Pulse
from web.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = DEPLOY / "kaibiao.service"


def a_unit_for_here(folder: Path) -> Path:
    """The shipped unit with this machine's program: systemd looks whether it is there."""
    program = folder / "kaibiao"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = folder / UNIT.name
    unit.write_text(UNIT.read_text("utf-8").replace("/opt/kaibiao/bin/kaibiao", str(program)), "utf-8")
    return unit


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    unit = a_unit_for_here(tmp_path)
    ran = subprocess.run(["systemd-analyze", "verify", unit], check=False, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_the_unit_is_hardened(tmp_path: Path) -> None:
    """Exposure 0 is none, 10 is everything; 1.5 is what a service with a socket comes to."""
    unit = a_unit_for_here(tmp_path)
    ran = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit],
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout


def test_the_unit_watches_and_has_the_limits_that_the_doctor_asks_for() -> None:
    unit = UNIT.read_text("utf-8")
    for line in ("Type=notify", "WatchdogSec=30", "LimitNOFILE=65536", "LimitCORE=0", "UMask=0077"):
        assert line in unit.splitlines()


def heard_last(systemd: socket.socket) -> bool:
    """Take what was said already, and return once nothing more comes."""
    for _ in range(10):
        try:
            systemd.recv(256)
        except TimeoutError:
            return True
    return False


@pytest.mark.slow
def test_systemd_hears_when_the_hall_serves_that_it_lives_and_when_it_stops(tmp_path: Path) -> None:
    kaibiao(tmp_path, "migrate")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        told = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"}
        command = [sys.executable, "-m", "web.cli", "serve", "--port", "0"]
        with subprocess.Popen(
            command, cwd=tmp_path, env=environment() | told, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as serving:
            said: list[str] = []
            try:
                while said.count("WATCHDOG=1") < 2 or "READY=1" not in said:
                    said.append(systemd.recv(256).decode())
                os.kill(serving.pid, signal.SIGSTOP)  # a loop that does not turn says nothing
                systemd.settimeout(1.5)
                assert heard_last(systemd)
                os.kill(serving.pid, signal.SIGCONT)
                systemd.settimeout(60)
                assert systemd.recv(256) == b"WATCHDOG=1"
            finally:
                os.kill(serving.pid, signal.SIGCONT)
                serving.terminate()
            while "STOPPING=1" not in said:
                said.append(systemd.recv(256).decode())
            assert serving.wait(30) in (0, -signal.SIGTERM)  # systemd counts both as a clean end


async def test_without_systemd_nothing_is_said_and_a_deaf_one_stops_nobody(tmp_path: Path) -> None:
    Notifier({}).ready()
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    lags: list[float] = []
    pulse = Pulse(lags.append, Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "1"}))
    pulse.start()
    while not lags:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await pulse.stop()
    assert lags[0] > -0.1


def stages() -> list[list[str]]:
    lines = (DEPLOY / "Containerfile").read_text("utf-8").replace("\\\n", " ").splitlines()
    told = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    starts = [at for at, line in enumerate(told) if line.startswith("FROM ")] + [len(told)]
    return [told[start:end] for start, end in pairwise(starts)]


def test_the_container_is_built_in_two_stages_and_runs_as_nobody_in_particular() -> None:
    build, final = stages()
    assert "--require-hashes" in " ".join(build)
    users = [line for line in final if line.startswith("USER ")]
    assert users == ["USER 10001:10001"]
    assert final.index(users[0]) > max(at for at, line in enumerate(final) if line.startswith(("RUN", "COPY")))
    assert any(line.startswith("HEALTHCHECK") and "/healthz" in line for line in final)
    words = {line.split()[0] for stage in (build, final) for line in stage}
    assert words <= {
        "FROM",
        "WORKDIR",
        "RUN",
        "COPY",
        "ENV",
        "USER",
        "VOLUME",
        "EXPOSE",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "CMD",
    }


def test_the_container_copies_only_what_there_is_and_sets_only_settings_there_are() -> None:
    build, final = stages()
    root = DEPLOY.parent
    for line in build:
        if line.startswith("COPY "):
            *sources, _ = line.split()[1:]
            assert all((root / source).exists() for source in sources), line
    told = re.findall(r"KAIBIAO_([A-Z_]+)=", " ".join(final))
    assert told
    assert {name.lower() for name in told} <= set(Settings.model_fields)


def services() -> dict[str, Any]:
    form: dict[str, Any] = json.loads((DEPLOY / "compose.json").read_text("utf-8"))
    for name, service in form["services"].items():
        networks = service["networks"]
        assert set(networks) <= set(form["networks"]), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in form["volumes"] or (DEPLOY / source).exists(), volume
    return dict(form["services"])


def test_in_the_compose_file_nothing_can_write_where_it_need_not() -> None:
    for name, service in services().items():
        assert service["read_only"] is True, name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert name == "database" or service["cap_drop"] == ["ALL"], name
    assert {name for name, service in services().items() if "ports" in service} == {"proxy", "hall"}
    # Pages reach the hall through the proxy alone; cameras and seats by the one port of picture and sound.
    port = Settings.model_fields["media_port"].default
    assert services()["hall"]["ports"] == [f"{port}:{port}/udp", f"{port}:{port}/tcp"]
    assert f"EXPOSE 8080 {port}/udp {port}/tcp" in stages()[1]
    assert set(services()["database"]["networks"]) == {"data"}  # nothing but the hall reaches it


def test_the_settings_of_the_compose_file_are_accepted() -> None:
    told = services()["hall"]["environment"]
    given = {name.removeprefix("KAIBIAO_").lower(): value for name, value in told.items()}
    given["public_url"] = re.sub(r"\$\{HALL_NAME:\?.*?\}", "hall.example.org", given["public_url"])
    given["trusted_proxies"] = json.loads(given["trusted_proxies"])
    addresses = re.sub(r"\$\{HALL_ADDRESS:\?.*?\}", "203.0.113.7", given["media_addresses"])
    given["media_addresses"] = json.loads(addresses)
    chosen = Settings(**given)
    proxy = services()["proxy"]["networks"]["front"]["ipv4_address"]
    assert [str(network) for network in chosen.trusted_proxies] == [f"{proxy}/32"]
    assert chosen.secure


def test_the_bus_of_the_compose_file_keeps_nothing_and_only_the_hall_reaches_it() -> None:
    bus, hall = services()["bus"], services()["hall"]
    assert urlsplit(hall["environment"]["KAIBIAO_BUS_URL"]).hostname == "bus"
    assert bus["networks"] == ["data"]
    assert "ports" not in bus
    words = " ".join(bus["command"])
    assert "--appendonly no" in words
    assert not bus.get("volumes")


def test_the_proxy_of_the_compose_file_is_the_tested_one() -> None:
    def rules(name: str) -> list[str]:
        lines = (DEPLOY / name).read_text("utf-8").splitlines()
        return [line for line in lines if not line.lstrip().startswith("#")]

    shipped = "\n".join(rules("Caddyfile"))
    own = "\n".join(rules("compose.Caddyfile"))
    assert own == shipped.replace("hall.example.org", "{$HALL_NAME}").replace("127.0.0.1:8080", "hall:8080")
