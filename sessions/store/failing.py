"""What a hall does when its disk says that it did not keep something: it stops, and does not ask again.

After a failed fsync the operating system may count the lost pages as written, and a second fsync succeeds without
them (fsync(2); PostgreSQL stops for this reason since version 11.2). Whoever starts the hall again finds on the disk
what is there, and senders go on from that.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from typing import Final, NoReturn

CODE: Final = 74
"""The exit status: EX_IOERR of sysexits.h."""

_NOT_KEPT: Final = frozenset({sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC})

_log = logging.getLogger(__name__)


def stop() -> NoReturn:
    """End this process at once."""
    _log.critical("the disk did not keep what it was given; the hall stops here")
    os._exit(CODE)


def not_kept(error: BaseException | None) -> bool:
    """Return whether this is SQLite saying that an fsync failed."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", None) in _NOT_KEPT
