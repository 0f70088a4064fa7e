"""How fast sealed bids open, against the usual tools on the same bytes in the same minutes.

Everyone decrypts the same 50 MB documents from the page cache, in turns, so that the machine's mood hits all alike;
the ratios of one run are the evidence. ``openssl enc`` does not authenticate; ``age`` does. Ours runs inside the
server's process; the others pay for starting a process (a few milliseconds a file).
"""

from __future__ import annotations

import hashlib
import json as json_module
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from crypto import authority, envelope
from crypto.certificates import Usage
from crypto.digest import Behind
from sessions.clock import SystemClock
from web.bench import machine

MEGABYTE: Final = 1_000_000
SIZE: Final = 50 * MEGABYTE
FILES: Final = 4
ROUNDS: Final = 5
PROCESSES: Final = 2
_OPENSSL: Final = ("openssl", "enc", "-aes-256-ctr", "-K", "0123456789abcdef" * 4, "-iv", "0123456789abcdef" * 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bid:
    """One document in each contestant's format, and the key of ours."""

    plain: Path
    sealed: Path
    secret: bytes = field(repr=False)

    @property
    def openssl(self) -> Path:
        return self.plain.with_suffix(".ctr")

    @property
    def age(self) -> Path:
        return self.plain.with_suffix(".age")


def run(json: bool) -> None:
    """Measure, and print the medians: a table, or JSON with everything measured."""
    with tempfile.TemporaryDirectory(prefix="kaibiao-bench-") as name:
        report = measure(Path(name), size=SIZE, files=FILES, rounds=ROUNDS)
    if json:
        sys.stdout.write(json_module.dumps(report, ensure_ascii=False, indent=1) + "\n")
        return
    sys.stdout.write(machine.heading(report) + f"{'':34}{'MB/s':>8}{'ratio to openssl enc':>24}\n")
    for case, figures in report["cases"].items():
        sys.stdout.write(f"{case:34}{figures['mb_per_s']:8.0f}{figures['ratio_to_openssl']:24.2f}\n")


def measure(folder: Path, *, size: int, files: int, rounds: int) -> dict[str, Any]:
    """Return the report of one run with its files in ``folder``; ``size`` in bytes."""
    report = machine.describe()
    age_key = _age_key(folder)
    bids = [_prepare(folder, number, size, age_key) for number in range(files)]
    contestants = _contestants(folder, age_key)
    times: dict[str, list[float]] = {name: [] for name in contestants}
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        list(pool.map(time.sleep, [0.01] * PROCESSES))
        pair = {
            f"kaibiao, {how}, {PROCESSES} processes": partial(_all_at_once, pool, unsealed, bids)
            for how, unsealed in (("discarded", unseal_discarded), ("written", unseal_written))
        }
        times |= {name: [] for name in pair}
        for turn in range(rounds):
            order = list(contestants.items())
            for name, contestant in order[turn % len(order) :] + order[: turn % len(order)]:
                times[name].append(_timed(partial(_one_by_one, contestant, bids)))
            for name, everything in pair.items():
                times[name].append(_timed(everything))
    total = size * files / MEGABYTE
    medians = {name: statistics.median(each) for name, each in times.items()}
    reference = medians["openssl enc -d -aes-256-ctr"]
    return report | {
        "what": f"{files} documents of {size / MEGABYTE:g} MB, {rounds} rounds in turns, median; page cache",
        "peers": {
            "openssl": _tool("openssl", "version").strip(),
            "age": age_key and _tool("age", "--version").strip(),
        },
        "cases": {
            name: {
                "mb_per_s": round(total / median, 1),
                "ratio_to_openssl": round(reference / median, 3),
                "seconds": [round(each, 4) for each in times[name]],
            }
            for name, median in medians.items()
        },
    }


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _one_by_one(contestant: Callable[[Bid], None], bids: list[Bid]) -> None:
    for bid in bids:
        contestant(bid)


def _all_at_once(pool: ProcessPoolExecutor, unsealed: Callable[[Bid], None], bids: list[Bid]) -> None:
    list(pool.map(unsealed, bids))


def _contestants(folder: Path, age_key: Path | None) -> dict[str, Callable[[Bid], None]]:
    out = folder / "out"

    def command(*words: str) -> None:
        _tool(*words)
        out.unlink()

    def openssl(bid: Bid) -> None:
        command(*_OPENSSL, "-d", "-in", str(bid.openssl), "-out", str(out))

    def age(bid: Bid) -> None:
        command("age", "-d", "-i", str(age_key), "-o", str(out), str(bid.age))

    contestants: dict[str, Callable[[Bid], None]] = {
        "kaibiao, discarded": unseal_discarded,
        "kaibiao, written": unseal_written,
        "kaibiao, written and re-hashed": unseal_hashed,
        "openssl enc -d -aes-256-ctr": openssl,
        "cp": lambda bid: command("cp", str(bid.plain), str(out)),
    }
    return contestants | ({"age -d": age} if age_key else {})


def unseal_discarded(bid: Bid) -> None:
    """Decrypt and authenticate, and keep nothing: what reading prices and re-checking cost."""
    _unseal(bid, lambda piece: None)


def unseal_written(bid: Bid) -> None:
    """Decrypt to a file."""
    out = bid.plain.with_suffix(".out")
    with out.open("wb", buffering=0) as file:
        _unseal(bid, file.write)
    out.unlink()


def unseal_hashed(bid: Bid) -> None:
    """Decrypt to a file while hashing the sealed bytes, as an opening that re-checks the receipt does."""
    out = bid.plain.with_suffix(".out")
    with out.open("wb", buffering=0) as file, Behind(hashlib.sha256().update) as read:
        _unseal(bid, file.write, read=read)
    out.unlink()


def _unseal(
    bid: Bid, write: Callable[[memoryview], object], read: Callable[[memoryview], object] | None = None
) -> None:
    with bid.sealed.open("rb", buffering=0) as file:
        opened = envelope.open_group(file, envelope.read_header(file), "A", bid.secret)
        opened.copy("f1", write, read=read)


def _age_key(folder: Path) -> Path | None:
    if not shutil.which("age-keygen"):
        return None
    key = folder / "age.key"
    _tool("age-keygen", "-o", str(key))
    return key


def _prepare(folder: Path, number: int, size: int, age_key: Path | None) -> Bid:
    plain = folder / f"{number}.pdf"
    plain.write_bytes(os.urandom(size))
    sealed = folder / f"{number}.sbid"
    secret = _seal(plain, sealed)
    bid = Bid(plain=plain, sealed=sealed, secret=secret)
    _tool(*_OPENSSL, "-in", str(plain), "-out", str(bid.openssl))
    if age_key:
        recipient = _tool("age-keygen", "-y", str(age_key)).strip()
        _tool("age", "-r", recipient, "-o", str(bid.age), str(plain))
    return bid


def _seal(plain: Path, sealed: Path) -> bytes:
    now = SystemClock().now().replace(microsecond=0)
    root = authority.create("Bench", at=now)
    issue = partial(authority.issue, root, name="Bench", identifier="BENCH-1", at=now)
    signer, encrypter = issue(usage=Usage.SIGN), issue(usage=Usage.ENCRYPT)
    with plain.open("rb") as source, sealed.open("w+b") as out:
        envelope.seal(
            out,
            tender="bench",
            lot="1",
            deadline="2026-11-21T01:00:00Z",
            quote={"price": "1.00"},
            files=[envelope.Source(name="f", media="application/pdf", stream=source, size=plain.stat().st_size)],
            signer=signer,
            encrypt_to=[encrypter.certificate],
        )
        return envelope.unlock(envelope.read_header(out), "A", encrypter)


def _tool(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout  # noqa: S603  (our own words)
