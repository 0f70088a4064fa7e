"""``kaibiao`` as typed into a terminal, but in this process: the imports are paid for once."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from web.cli import main


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left."""

    returncode: int
    stdout: str
    stderr: str


def kaibiao(folder: Path, *words: str, **settings: str) -> Ran:
    """Run a command in ``folder``, with these settings in the environment and no others."""
    said, told = io.StringIO(), io.StringIO()
    code: str | int | None = 0
    with (
        contextlib.chdir(folder),
        _given(["kaibiao", *words], settings),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(told),
    ):
        try:
            main(guarded=False)  # this process goes on with other tests
        except SystemExit as left:
            code = left.code
    return Ran(int(code or 0), said.getvalue(), told.getvalue())


@contextlib.contextmanager
def _given(words: list[str], settings: dict[str, str]) -> Iterator[None]:
    before, environment = sys.argv, dict(os.environ)
    sys.argv = words
    for name in [name for name in os.environ if name.startswith("KAIBIAO_")]:
        del os.environ[name]
    os.environ.update({f"KAIBIAO_{name.upper()}": value for name, value in ({"media": "off"} | settings).items()})
    try:
        yield
    finally:
        sys.argv = before
        os.environ.clear()
        os.environ.update(environment)
