"""Open a sealed bid's groups and parts. Commitments first: no byte is decrypted under a key they do not fit."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO, Final

from crypto.certificates import Credential, fingerprint
from crypto.chunked import HEAD, ChunkKeys, RangeReader, check_head, open_stream
from crypto.container import Container
from crypto.encoding import parse_canonical
from crypto.errors import EncodingRefused, SealedBidRefused, SlotRefused
from crypto.header import MAX_SHEET, QUOTE, Header, Part, SlotRole, names_id
from crypto.keys import GroupKey, part_context

_NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f/\\]{1,255}")


def unlock(container: Container, group: str, credential: Credential) -> bytes:
    """Return the group's key from the slot of ``credential``, checked against the header. For bidders."""
    header = container.header
    mine = fingerprint(credential.certificate)
    for slot in header.group(group).slots_of(SlotRole.BIDDER):
        if slot.cert == mine:
            secret = header.suite.unwrap(slot.data, credential.key, credential.certificate)
            check_secret(header, group, secret)
            return secret
    raise SlotRefused("wrong_recipient")


def check_secret(header: Header, group: str, secret: bytes) -> None:
    """Raise ``commitment_mismatch`` unless ``secret`` is the ``K_b`` the header commits to.

    Says nothing of the tenderer's key: with a second layer, ``secret`` alone opens nothing.
    """
    GroupKey(suite=header.suite, context=header.context(group), secret=secret).require(header.group(group).kcb)


def group_key(header: Header, group: str, secret: bytes, second: bytes | None = None) -> GroupKey:
    """Return the group's key if the header commits to it (``commitment_mismatch`` otherwise).

    ``second`` is ``K_t``; ``second_key_missing`` if the group has that layer and it is not given.
    """
    stated = header.group(group)
    key = GroupKey(suite=header.suite, context=header.context(group), secret=secret, second=second)
    key.require(stated.kcb, stated.kct)
    return key


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class OpenedGroup:
    """One group of a sealed bid under its right key. Make it with ``open_group``."""

    file: BinaryIO
    container: Container
    group: str
    key: GroupKey

    def part_key(self, part: str) -> bytes:
        """Return the key of one part, which may be published without opening the others."""
        self._part(part)
        return self.key.part_key(part)

    def part(self, part: str) -> RangeReader:
        """Return a reader of any range of one part."""
        found = self._part(part)
        keys = self._check(found)
        start = self.container.body + found.off
        return RangeReader(self.container.header.suite.body, self.file, start, found.plain_len, keys)

    def copy(
        self,
        part: str,
        write: Callable[[memoryview], object],
        *,
        read: Callable[[memoryview], object] | None = None,
    ) -> None:
        """Give the whole part to ``write`` in pieces; ``read`` sees the sealed bytes, for whoever hashes them too.

        Until this returns the output is incomplete, and after an exception it is to be thrown away.
        """
        found = self._part(part)
        self._check(found)
        self.file.seek(self.container.body + found.off)
        open_stream(
            self.container.header.suite.body,
            self.file,
            found.length,
            self.key.part_key(part),
            self.key.part_context(part),
            write=write,
            read=read,
        )

    def quote(self) -> Mapping[str, Any]:
        """Return the figures to be read out, strictly parsed. What they mean is checked elsewhere."""
        return parse_sheet(self.whole(QUOTE), "malformed_quote")

    def names(self) -> Mapping[str, str]:
        """Return the file names by part id; a name is a label for people, never a path."""
        parts = {part.id for part in self.container.header.parts_of(self.group)}
        sheet = names_id(self.group)
        if sheet not in parts:
            return {}
        names = parse_sheet(self.whole(sheet), "malformed_names")
        if not names.keys() <= parts or not all(isinstance(v, str) and _NAME.fullmatch(v) for v in names.values()):
            raise SealedBidRefused("malformed_names")
        return names

    def _part(self, part: str) -> Part:
        found = self.container.header.part(part)
        if found.group != self.group:
            raise SealedBidRefused("no_such_part", detail=part)
        return found

    def _check(self, part: Part) -> ChunkKeys:
        self.file.seek(self.container.body + part.off)
        if self.file.read(HEAD) != part.head:
            raise SealedBidRefused("commitment_mismatch")
        scheme = self.container.header.suite.body
        return check_head(scheme, self.key.part_key(part.id), self.key.part_context(part.id), part.head)

    def whole(self, part: str) -> bytes:
        """Return all of one part at once, its length proven. Mind the size: this is for small parts."""
        reader = self.part(part)
        reader.check_end()
        return reader.read(0, reader.plain_len)


def open_group(
    file: BinaryIO, container: Container, group: str, secret: bytes, second: bytes | None = None
) -> OpenedGroup:
    """Return the group opened with ``secret``; ``commitment_mismatch`` if it is not the key the bidder committed to.

    ``second`` is the tenderer's key, where the group has one (``second_key_missing`` without it). Does not repeat
    ``check_sealed``; a file from outside is to pass that first.
    """
    key = group_key(container.header, group, secret, second)
    return OpenedGroup(file=file, container=container, group=group, key=key)


def open_published(header: Header, part: str, part_key: bytes, stream: bytes) -> bytes:
    """Return one part's plain bytes from its published key and its sealed bytes, for anyone who checks a record."""
    found = header.part(part)
    if len(stream) != found.length or stream[:HEAD] != found.head:
        raise SealedBidRefused("commitment_mismatch")
    pieces: list[bytes] = []
    open_stream(
        header.suite.body,
        BytesIO(stream),
        len(stream),
        part_key,
        part_context(header.context(found.group), part),
        write=lambda piece: pieces.append(bytes(piece)),
    )
    return b"".join(pieces)


def parse_sheet(data: bytes, code: str) -> Mapping[str, Any]:
    """Return the canonical JSON object in ``data``, or refuse it with ``code``."""
    try:
        value = parse_canonical(data, limit=MAX_SHEET)
    except EncodingRefused as error:
        raise SealedBidRefused(code, detail=error.detail) from error
    if not isinstance(value, dict):
        raise SealedBidRefused(code)
    return value
