"""A bar on a terminal, one plain line elsewhere, both on stderr: answers stay alone on stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

Step = Callable[[int], None]


@contextmanager
def progress(what: str, total: int) -> Iterator[Step]:
    """Yield a function that is told how many more bytes are done."""
    if not sys.stderr.isatty():
        done = 0

        def count(size: int) -> None:
            nonlocal done
            done += size

        yield count
        sys.stderr.write(f"{what}: {done} bytes\n")
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total)
        yield lambda size: bar.advance(task, size)
