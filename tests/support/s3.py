"""A real S3 server of this test process's own on loopback (SeaweedFS), with one bucket; gone with the process."""

from __future__ import annotations

import atexit
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import obstore
from obstore.store import S3Store

from sessions.clock import Clock
from sessions.ports import BlobStore
from sessions.store.opened import blobs_at
from tests.support.ports import free_port

KEY, SECRET, BUCKET = "hall", "made-up-for-tests", "bids"


@dataclass(frozen=True, slots=True)
class S3:
    """Where it listens, and the file with its key."""

    endpoint: str
    key_file: Path

    def url(self, prefix: str) -> str:
        return f"s3://{BUCKET}/{prefix}?endpoint={self.endpoint}"


@cache
def s3() -> S3:
    """Start it, when it is first asked for."""
    folder = Path(tempfile.mkdtemp(prefix="kaibiao-s3-"))
    config, key_file = folder / "s3.json", folder / "key"
    identity = {
        "name": KEY,
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    config.write_text(json.dumps({"identities": [identity]}))
    key_file.write_text(f"{KEY}\n{SECRET}\n")
    ports = [free_port() for _ in range(8)]
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc")
    names += ("filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc")
    flags = [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
    flags += [
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-dir={folder}",
        "-s3",
        f"-s3.config={config}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ]
    flags += ["-volume.max=20", "-master.volumeSizeLimitMB=64", "-master.telemetry=false"]
    weed = Path(sys.executable).with_name("weed")
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", weed, "server", *flags], cwd=folder, stdout=log, stderr=log
        )

    def stop() -> None:
        server.kill()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    endpoint = f"http://127.0.0.1:{ports[6]}"
    _make_bucket(endpoint, server, folder / "log")
    return S3(endpoint, key_file)


def blobs_of(folder: Path, clock: Clock) -> BlobStore:
    """Return the blobs of a hall in ``folder``, in the bucket: the same folder, the same blobs."""
    server, prefix = s3(), sha256(str(folder).encode()).hexdigest()
    return blobs_at(server.url(prefix), folder, clock, room=1 << 40, key_file=server.key_file)


def _make_bucket(endpoint: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until it answers and its first volumes are there, then make the bucket as any client does."""
    store = S3Store(
        BUCKET,
        config={"endpoint": endpoint, "access_key_id": KEY, "secret_access_key": SECRET, "region": "us-east-1"},
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    for _ in range(900):
        if server.poll() is not None:
            raise RuntimeError(log.read_text()[-2000:])
        try:
            store.put("ready", b"ready")
        except obstore.exceptions.BaseError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"the S3 server is not ready: {log.read_text()[-2000:]}")
