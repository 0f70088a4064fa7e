"""A network of its own for a reader, whose packets can be lost: a namespace behind a pair of virtual devices.

Needs root and ip(8). Nothing is left of it afterwards, and nobody else's packets pass here.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """``ours`` is this side's address, ``theirs`` the namespace's."""

    name: str
    ours: str
    theirs: str

    @property
    def inside(self) -> list[str]:
        """What to put before a command that shall run there."""
        return ["ip", "netns", "exec", self.name]

    def cut(self) -> None:
        """Lose every packet both ways; nobody is told."""
        _run(*self.inside, "ip", "link", "set", f"{self.name}b", "down")

    def deaf(self) -> None:
        """Lose what goes from there to us; what we send still arrives."""
        _run(*self.inside, "ip", "route", "add", "blackhole", f"{self.ours}/32")

    def mute(self) -> None:
        """Lose what goes from us to there; what they send still arrives."""
        _run("ip", "route", "add", "blackhole", f"{self.theirs}/32")

    def well(self) -> None:
        """Take every fault away."""
        _run(*self.inside, "ip", "link", "set", f"{self.name}b", "up")
        for words in ([*self.inside, "ip", "route", "del", "blackhole", f"{self.ours}/32"], _unmute(self.theirs)):
            subprocess.run(words, check=False, capture_output=True)


def _unmute(theirs: str) -> list[str]:
    return ["ip", "route", "del", "blackhole", f"{theirs}/32"]


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


@contextmanager
def a_network() -> Iterator[Network]:
    """Make one, with addresses of the range for such tests (RFC 2544), chosen so that two runs do not meet."""
    chance = random.SystemRandom()
    subnet = f"198.{chance.choice((18, 19))}.{chance.randrange(256)}"
    first = 4 * chance.randrange(64)
    network = Network(
        name=f"kb{chance.randrange(16**6):06x}", ours=f"{subnet}.{first + 1}", theirs=f"{subnet}.{first + 2}"
    )
    name = network.name
    _run("ip", "netns", "add", name)
    try:
        _run("ip", "link", "add", f"{name}a", "type", "veth", "peer", "name", f"{name}b", "netns", name)
        _run("ip", "addr", "add", f"{network.ours}/30", "dev", f"{name}a")
        _run("ip", "link", "set", f"{name}a", "up")
        _run(*network.inside, "ip", "addr", "add", f"{network.theirs}/30", "dev", f"{name}b")
        _run(*network.inside, "ip", "link", "set", f"{name}b", "up")
        yield network
    finally:
        subprocess.run(_unmute(network.theirs), check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", f"{name}a"], check=False, capture_output=True)
        _run("ip", "netns", "del", name)


@cache
def may_make_networks() -> bool:
    """Whether this machine lets us."""
    if os.geteuid() != 0:
        return False
    try:
        with a_network():
            return True
    except (OSError, subprocess.CalledProcessError):
        return False
