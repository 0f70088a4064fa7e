"""What a process does before it touches a key: no copy of its memory is ever written, no file is for others.

The command line calls it before anything else (web.cli). In a core dump everything would lie in the clear that a
hall keeps sealed: its keys, and after the barrier the keys of the bids.
"""

from __future__ import annotations

import ctypes
import os
import sys

_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4  # prctl(2)


def protect() -> None:
    """Forbid core dumps and, where Linux can, tracing by others of the same user; write files for the owner alone.

    Under ``python -X dev`` a debugger may still be attached. Root may trace a process whatever it says.
    """
    import resource

    os.umask(0o077)
    # The limit alone is not enough: where core_pattern is a pipe, the kernel does not ask it (core(5)).
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if not sys.flags.dev_mode:
        _prctl(_PR_SET_DUMPABLE, 0)


def undumpable() -> bool | None:
    """Return whether the kernel writes no memory of this process to a disk; None where it does not say."""
    state = _prctl(_PR_GET_DUMPABLE)
    return None if state is None else state == 0


def _prctl(option: int, value: int = 0) -> int | None:
    if sys.platform != "linux":
        return None
    try:
        return int(ctypes.CDLL(None).prctl(option, value, 0, 0, 0))
    except (OSError, AttributeError):  # a C library without it
        return None
