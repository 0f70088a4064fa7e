"""How many files this process may have open, which is how many can be connected."""

from __future__ import annotations

import resource
from typing import Final

SPARE: Final = 64
"""Descriptors left for the database, the log and files, whoever comes."""

_UNLIMITED: Final = 1_000_000


def allowed() -> int:
    """Take all the descriptors that the machine allows; return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard and hard != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return _UNLIMITED if soft == resource.RLIM_INFINITY else soft


def most_watchers() -> int:
    """Return how many streams of the public leave enough for pages, uploads and those who have a part."""
    descriptors = allowed()
    return max(1, descriptors - descriptors // 10 - 2 * SPARE)
