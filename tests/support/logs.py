"""What a serving hall writes to its log, kept as text."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO

from web.serving.logs import OURS, log_to
from web.settings import Settings


@contextmanager
def logging_to_text(level: str, log_format: str = "lines") -> Iterator[StringIO]:
    """Log as a serving hall does, and keep what it says."""
    said, root, server = StringIO(), logging.getLogger(), logging.getLogger("uvicorn.error")
    handlers, before, filters = root.handlers[:], root.level, server.filters[:]
    try:
        with redirect_stderr(said):
            log_to(Settings(log_level=level, log_format=log_format))  # type: ignore[arg-type]
        yield said
    finally:
        root.handlers[:], server.filters[:] = handlers, filters
        root.setLevel(before)
        for name in OURS:
            logging.getLogger(name).setLevel(logging.NOTSET)
