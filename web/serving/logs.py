"""What a process says of itself on its error stream, and what of it nobody may read."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from sessions.errors import Unanswered
from web.settings import Settings

OURS = ("crypto", "sessions", "hall", "web")
"""Whose loggers follow `log_level` down to debug."""


def log_to(settings: Settings) -> None:
    """Send the logs of this process to the error stream, as readable lines or as JSON."""
    shown: structlog.typing.Processor = structlog.dev.ConsoleRenderer(colors=False)
    if settings.log_format == "json":
        shown = structlog.processors.JSONRenderer(ensure_ascii=False)
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_colour,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _silence_in_a_line,
                structlog.processors.format_exc_info,
                shown,
            ],
            foreign_pre_chain=shared,
        )
    )
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    # Other people's debug lines hold what nobody may read: drivers log every value that is stored, clients every
    # header, cookies included. What we log ourselves we know.
    logging.basicConfig(level=max(level, logging.INFO), handlers=[handler], force=True)
    for package in OURS:
        logging.getLogger(package).setLevel(level)
    for talkative in ("alembic", "httpx"):
        logging.getLogger(talkative).setLevel(max(level, logging.WARNING))
    logging.getLogger("uvicorn.error").addFilter(_tells_no_visitor)


def _tells_no_visitor(record: logging.LogRecord) -> bool:
    """Drop the server's line for each stream, which has its reader's address and query: it tells who follows what."""
    return '"WebSocket ' not in str(record.msg)


def _silence_in_a_line(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Say why the store is silent instead of where we asked it: all ask again at once, and 38 s were 54,000 lines."""
    match event.get("exc_info"):
        case (_, Unanswered(__cause__=cause) as error, _):
            del event["exc_info"]
            event["reason"] = str(getattr(cause, "orig", None) or cause or type(error).__name__).partition("\n")[0]
    return event


def _without_colour(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event.pop("color_message", None)  # uvicorn's second copy of its messages
    return event
