"""Timestamps and a document seal for the demo: a real authority on a socket of its own, under the demo's root."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import uvicorn
from cryptography.hazmat.primitives.serialization import Encoding

from crypto import authority
from crypto.certificates import Usage
from crypto.timestamping import issue_authority
from sessions.clock import SystemClock
from web.demo.revocation import Answering
from web.settings import Settings
from web.standins.timestamp_server import timestamp_app

NAME = "演示时间戳 demo timestamps"
SEAL = "开标演示大厅 Kaibiao demo hall"


@contextlib.asynccontextmanager
async def stamps_and_seal(
    out: Path, settings: Settings, root: authority.Authority, asked: Answering
) -> AsyncIterator[dict[str, Path]]:
    """Serve timestamps and write the seal; give the settings that name both. The server ends with the block."""
    at = SystemClock().now().replace(microsecond=0) - timedelta(minutes=5)
    folder = out / "papers"
    folder.mkdir(parents=True, exist_ok=True)
    door = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{door.getsockname()[1]}/"
    (folder / "root.pem").write_bytes(root.certificate.public_bytes(Encoding.PEM))
    listed = f'[[authority]]\nname = "{NAME}"\nurl = "{url}"\nanchor = "root.pem"\n'
    (folder / "timestamps.toml").write_text(listed, encoding="utf-8")
    seal = authority.issue(
        root, name=SEAL, identifier=authority.demo_identifier(SEAL), usage=Usage.SIGN, at=at, days=30
    )
    (folder / "seal.pem").write_bytes(authority.to_pem(seal))
    settings.crls.mkdir(parents=True, exist_ok=True)
    (settings.crls / "demo.pem").write_bytes(authority.revocation_list(root, {}, at=at).public_bytes(Encoding.PEM))
    signer = issue_authority(root, name=NAME, at=at, days=30, ocsp=f"{asked.url}/ocsp", crl=f"{asked.url}/crl")
    asked.also_knows(signer.certificate)
    stamps = timestamp_app(signer, SystemClock())
    web = uvicorn.Server(uvicorn.Config(stamps, log_config=None, access_log=False, lifespan="off"))
    serving = asyncio.create_task(web.serve(sockets=[door]))
    while not web.started:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.005)
    try:
        yield {"timestamps_file": folder / "timestamps.toml", "seal_file": folder / "seal.pem"}
    finally:
        web.should_exit = True
        await serving
