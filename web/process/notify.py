"""Tell systemd how this process does (sd_notify(3)): a datagram to the socket that it named, if it named one."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Says what systemd wants to know. Where nobody asked, every method does nothing; none ever raises."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        timeout = environment.get("WATCHDOG_USEC", "")
        self.watchdog = int(timeout) / 1_000_000 if timeout.isdigit() else None
        """Seconds after which systemd takes silence for death; None where it does not watch."""

    def ready(self) -> None:
        """The hall serves."""
        self._tell("READY=1")

    def alive(self) -> None:
        """The event loop turns."""
        self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """The hall sends its readers home."""
        self._tell("STOPPING=1")

    def status(self, text: str) -> None:
        """A line for `systemctl status`."""
        self._tell("STATUS=" + text.replace("\n", " "))

    def _tell(self, line: str) -> None:
        if not self._address.startswith(("/", "@")):
            return
        path = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
                to.setblocking(False)
                to.sendto(line.encode(), path)
        except OSError:
            return  # a supervisor that does not listen is no reason to stop a ceremony
