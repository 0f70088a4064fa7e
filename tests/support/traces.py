"""Where a secret may have left a trace: files, environment and memory of a process, in whatever spelling."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

PIECE = 8 * 1024 * 1024
LONGEST = 512


def spellings(secret: bytes) -> tuple[bytes, ...]:
    """Return how ``secret`` would look as it is, in UTF-16, hex, and base64 of either alphabet at any offset."""
    text = secret.decode("latin-1")
    shifted = (base64.b64encode(bytes(offset) + secret)[-(-offset * 4 // 3) :] for offset in range(3))
    # The first and the last symbol also hold bits of what stands beside the secret.
    inner = tuple(symbols.rstrip(b"=")[1:-1] for symbols in shifted)
    other = tuple(symbols.translate(bytes.maketrans(b"+/", b"-_")) for symbols in inner)
    hexed = secret.hex().encode()
    return (secret, text.encode("utf-16-le"), text.encode("utf-16-be"), hexed, hexed.upper(), *inner, *other)


class Search:
    """Looks for named secrets in any spelling. ``found`` are their names."""

    def __init__(self, secrets: Mapping[str, bytes]) -> None:
        self._named = {spelling: name for name, secret in secrets.items() for spelling in spellings(secret)}

    def in_bytes(self, data: bytes) -> set[str]:
        # One look for each spelling: an expression of them all is tried at every byte, fifty times as slow.
        return {name for spelling, name in self._named.items() if spelling in data}

    def in_files(self, *folders: Path) -> dict[str, set[str]]:
        """Return what was found, by file; names of files count too."""
        found: dict[str, set[str]] = {}
        for folder in folders:
            for path in [folder, *folder.rglob("*")]:
                names = self.in_bytes(str(path).encode())
                if path.is_file():
                    with suppress(FileNotFoundError):  # gone meanwhile
                        names |= self.in_bytes(path.read_bytes())
                if names:
                    found[path.name] = names
        return found

    def in_memory(self, process: int) -> set[str]:
        """Return what was found in the memory that a process can write to, and in its environment and arguments."""
        found = self.in_bytes(Path(f"/proc/{process}/environ").read_bytes())
        found |= self.in_bytes(Path(f"/proc/{process}/cmdline").read_bytes())
        with Path(f"/proc/{process}/mem").open("rb", buffering=0) as memory:
            for start, end in _writable(process):
                for at in range(start, end, PIECE):
                    try:
                        memory.seek(at)
                        found |= self.in_bytes(memory.read(min(PIECE + LONGEST, end - at)))
                    except OSError:
                        break  # the process gave this range back meanwhile
        return found


def _writable(process: int) -> Iterable[tuple[int, int]]:
    for line in Path(f"/proc/{process}/maps").read_text().splitlines():
        place, rights, *_ = line.split()
        if rights.startswith("rw"):
            start, _, end = place.partition("-")
            yield int(start, 16), int(end, 16)
