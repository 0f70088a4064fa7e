"""What somebody has who takes everything a hall has, and how such a person would look for the keys in it."""

from __future__ import annotations

import hmac
import io
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crypto.certificates import Credential
from crypto.container import Container, read_header
from crypto.encoding import b64u, unb64u
from crypto.errors import CryptoRefused
from crypto.header import Header
from crypto.locks import open_share, read_share
from crypto.signing import peek
from sessions.store.masterkey import MasterKeys
from tests.support.team import by_hand, files_of_the_database

_HEX = re.compile(rb"[0-9a-fA-F]{64}")
_BASE64 = re.compile(rb"[A-Za-z0-9_/+-]{43}(?![A-Za-z0-9_/+-])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loot:
    """Database, WAL, bids, keys and memory of one hall at one moment."""

    folder: Path
    memory: bytes

    @property
    def files(self) -> dict[str, bytes]:
        kept = {str(path): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}
        return {**kept, "kaibiao.db": files_of_the_database(self.folder)}

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        with by_hand(self.folder) as database:
            return database.execute(f"SELECT {', '.join(columns)} FROM {table}")

    def secrets(self) -> dict[str, bytes]:
        """Everything in the vault, opened with the hall's own master key."""
        key = MasterKeys(self.folder)
        rows = self.rows("secrets", "session", "name", "sealed")
        return {str(name): key.open(str(session), str(name), sealed) for session, name, sealed in rows}

    def bids(self) -> dict[str, Header]:
        """The headers of the sealed bids, by the bidder's number."""
        return {container.header.bidder: container.header for container in self.containers()}

    def containers(self) -> Iterator[Container]:
        for data in self.files.values():
            if data.startswith(b"SBID"):
                yield read_header(io.BytesIO(data))

    def cells(self) -> Iterator[bytes]:
        """Every value in every table that is no text."""
        with by_hand(self.folder) as database:
            tables = database.tables()
        for table in tables:
            for row in self.rows(f'"{table}"', "*"):
                yield from (value for value in row if isinstance(value, bytes))

    def values(self, *, memory: bool) -> set[bytes]:
        """Every 32 bytes in it that could be a key: as stored, as written in hex or base64, as they lie in memory."""
        found: set[bytes] = set()
        for data in [*self.files.values(), *self.secrets().values(), self.memory if memory else b""]:
            found.update(bytes.fromhex(each.decode()) for each in _HEX.findall(data))
            found.update(_decoded(_BASE64.findall(data)))
        others = [data for name, data in self.files.items() if "kaibiao.db" not in name]
        for data in [*others, *self.cells(), *self.secrets().values()]:
            found.update(_windows(data))
        found.update(_aligned(self.memory if memory else b""))
        return found

    def holds(self, secret: bytes) -> bool:
        """Whether these 32 bytes stand anywhere in it, raw or written down: for whoever knows what to look for."""
        written = (secret, secret.hex().encode(), b64u(secret).encode())
        return any(each in data for data in [self.memory, *self.files.values()] for each in written)

    def opened_with(self, officer: Credential) -> dict[str, set[bytes]]:
        """What this officer's key makes of every share and slot in the loot, by bidder."""
        opened: dict[str, set[bytes]] = {}
        headers = self.bids()
        for bidder, group, statement in self.rows("releases", "bidder", '"group"', "statement"):
            header, said = headers[str(bidder)], peek(str(statement))[1]
            place = {name: said[name] for name in ("session", "group", "header_sha256", "nonce")}
            for member in said["shares"]:
                share = read_share(member, suite=header.suite, context=header.context(str(group)), **place)
                try:
                    opened.setdefault(str(bidder), set()).add(open_share(share, officer).value)
                except CryptoRefused:
                    continue
        for bidder, header in headers.items():
            for slot in header.group("A").slots:
                try:
                    value = header.suite.unwrap(slot.data, officer.key, officer.certificate)
                    opened.setdefault(bidder, set()).add(value)
                except CryptoRefused:
                    continue
        return opened


def keys_among(headers: Mapping[str, Header], values: Iterable[bytes]) -> dict[str, bytes]:
    """Return every value that is the key of a bid, by the bid's own commitment (crypto/FORMAT.md section 3)."""
    commitments = {
        bidder: (b"SBID1/kc/b" + header.context("A") + b"\x01", header.group("A").kcb)
        for bidder, header in headers.items()
    }
    found: dict[str, bytes] = {}
    for value in values:
        for bidder, (info, kcb) in commitments.items():
            if hmac.digest(value, info, "sha256") == kcb:
                found[bidder] = value
    return found


def added(values: Iterable[bytes], pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield every value with every piece added: the key, if value and piece are the two it was cut into."""
    numbers = [int.from_bytes(piece) for piece in pieces]
    for value in values:
        number = int.from_bytes(value)
        for piece in numbers:
            yield (number ^ piece).to_bytes(32)


def _windows(data: bytes) -> Iterator[bytes]:
    """Yield what is varied enough to be a key: of 32 random bytes some 30 differ, fewer than 22 as good as never."""
    for at in range(len(data) - 31):
        window = data[at : at + 32]
        if len(set(window)) >= 22:
            yield window


def _aligned(memory: bytes) -> Iterator[bytes]:
    """Yield the same where allocators put what they hand out: every 16 bytes. Pointers and numbers are no keys."""
    words = array("Q", memory[: len(memory) // 8 * 8])
    high = [word >> 48 != 0 for word in words]
    for n in range(0, len(words) - 3, 2):
        if high[n] and high[n + 1] and high[n + 2] and high[n + 3]:
            window = memory[8 * n : 8 * n + 32]
            if len(set(window)) >= 22:
                yield window


def _decoded(texts: Iterable[bytes]) -> Iterator[bytes]:
    for text in texts:
        try:
            yield unb64u(text.decode().replace("+", "-").replace("/", "_"))
        except CryptoRefused:
            continue
