"""Ports for servers that must be told theirs before they open it.

A port that the system named for a moment and took back may be given to anybody's outgoing connection before the
server is up. These lie below the range that the system gives away (ip_local_port_range), and no two test processes
of a machine get the same one: a name in the abstract namespace (unix(7)) is held for each while its process lives.
"""

from __future__ import annotations

import atexit
import random
import socket

_LOWEST, _ABOVE = 12_000, 32_000

_held: list[socket.socket] = []
_chance = random.SystemRandom()


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens, and which no other test is given."""
    while True:
        port = _chance.randrange(_LOWEST, _ABOVE)
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0kaibiao-tests-{port}")
            with socket.create_server(("127.0.0.1", port)):
                _held.append(claim)
                return port
        except OSError:
            claim.close()


@atexit.register
def _let_go() -> None:
    for claim in _held:
        claim.close()
