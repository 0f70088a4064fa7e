"""The proxies that are shipped configurations, started for real in front of a hall on loopback."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect

from tests.support.served import Served

DEPLOY = Path(__file__).parents[2] / "deploy"
NAME = "hall.example.org"


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """A proxy that listens: ``port`` with TLS, ``plain`` without."""

    port: int
    plain: int
    trust: ssl.SSLContext

    @property
    def origin(self) -> str:
        return f"https://{NAME}:{self.port}"

    def client(self, other: httpx.AsyncClient | None = None) -> httpx.AsyncClient:
        """Return a program that comes through the proxy; logged in like ``other``, if there is one."""
        headers = {"x-kaibiao": "1", "host": f"{NAME}:{self.port}"}
        if other is not None:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in other.cookies.items())
        client = httpx.AsyncClient(
            base_url=f"https://127.0.0.1:{self.port}", headers=headers, verify=self.trust, timeout=60
        )
        client.event_hooks["request"].append(_names_the_hall)
        return client

    def live(self, path: str) -> connect:
        """Return a WebSocket connection through the proxy to open."""
        return connect(
            f"wss://{NAME}:{self.port}{path}", host="127.0.0.1", ssl=self.trust, server_hostname=NAME, proxy=None
        )


async def _names_the_hall(request: httpx.Request) -> None:
    request.extensions["sni_hostname"] = NAME


def certificate(folder: Path) -> ssl.SSLContext:
    """Make a certificate for the proxy, and return what trusts it."""
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    made += ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME},IP:127.0.0.1"]
    made += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "fullchain.pem")]
    subprocess.run(made, check=True, capture_output=True)
    return ssl.create_default_context(cafile=str(folder / "fullchain.pem"))


def nginx(folder: Path, hall: Served, port: int, plain: int) -> list[str]:
    """Write the shipped file with the test's ports and places, and the least that nginx wants around it."""
    site = (DEPLOY / "nginx.conf").read_text("utf-8")
    changes = (
        ("server 127.0.0.1:8080;", f"server 127.0.0.1:{hall.port};"),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;"),
        ("https://$host$request_uri", f"https://$host:{port}$request_uri"),
        ("proxy_set_header Host $host;", "proxy_set_header Host $http_host;"),
        ("/etc/kaibiao/tls/", f"{folder}/"),
        ("/var/cache/nginx/kaibiao", f"{folder}/cache"),
    )
    for shipped, here in changes:
        assert shipped in site, shipped
        site = site.replace(shipped, here)
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = f"""{user} daemon off; pid {folder}/pid; error_log {folder}/errors; worker_processes 1;
events {{ worker_connections 512; }}
http {{ {temporary} types {{ }} default_type application/octet-stream; {site} }}
"""
    (folder / "nginx.conf").write_text(main, "utf-8")
    return [shutil.which("nginx") or "/usr/sbin/nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, hall: Served, port: int, plain: int) -> list[str]:
    """Write the shipped file with the test's ports and certificate."""
    site = (DEPLOY / "Caddyfile").read_text("utf-8")
    assert "127.0.0.1:8080" in site
    site = site.replace("127.0.0.1:8080", f"127.0.0.1:{hall.port}")
    site, count = re.subn(
        r"^hall\.example\.org \{$",
        f"https://{NAME}:{port} {{\n\tbind 127.0.0.1\n\ttls {folder}/fullchain.pem {folder}/key.pem",
        site,
        flags=re.M,
    )
    assert count == 1
    (folder / "Caddyfile").write_text(
        f"{{\n\tadmin off\n\thttp_port {plain}\n\thttps_port {port}\n}}\n{site}", "utf-8"
    )
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


CONFIGURED = {"nginx": nginx, "caddy": caddy}


@asynccontextmanager
async def in_front(kind: str, folder: Path, hall: Served, port: int, plain: int) -> AsyncIterator[Front]:
    """Run the proxy before ``hall`` until the block ends."""
    folder.mkdir()  # noqa: ASYNC240  # a test's own folder
    trust = certificate(folder)
    command = CONFIGURED[kind](folder, hall, port, plain)
    own: dict[str, Any] = {"env": os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder)}}
    with (folder / "log").open("wb") as log:
        proxy = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, **own)
        try:
            await _answers(port, proxy, folder)
            yield Front(port=port, plain=plain, trust=trust)
        finally:
            if proxy.returncode is None:
                proxy.terminate()
            await proxy.wait()


async def _answers(port: int, proxy: asyncio.subprocess.Process, folder: Path) -> None:
    while True:
        assert proxy.returncode is None, (folder / "log").read_text("utf-8")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
