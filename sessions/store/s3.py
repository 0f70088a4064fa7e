"""Large content in an S3-compatible store: parts under ``NAME/OFFSET`` while it grows, ``NAME.whole`` to finish it.

What an append brings is put as parts, each an object of its own under the offset at which it begins, and counts when
the store has acknowledged it: an S3 store acknowledges what it will not lose. To finish writes one small object that
lists the parts, so nothing is copied at the opening time, when everybody finishes at once. Parts and list are
put only where nothing is (``If-None-Match: *``): of two workers that append to one blob, one is told where it ends.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import parse_qs, urlsplit

from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from crypto.encoding import canonical
from sessions.clock import Clock
from sessions.errors import Unanswered
from sessions.ports import Appended, WrongOffset
from sessions.store.blobs import BlobsRefused, checked

PART: Final = 2 << 20
"""Bytes of a part: one request for each, and so much memory for each upload under way."""

AHEAD: Final = 1 << 20
"""Bytes read at once."""

WHOLE: Final = ".whole"


@dataclass(frozen=True, slots=True)
class Part:
    """Where a part begins, and its length."""

    offset: int
    length: int


class S3Blobs:
    """A BlobStore (sessions.ports) in a bucket; several processes may write. ``room`` is what the operator says."""

    def __init__(self, store: S3Store, clock: Clock, *, room: int) -> None:
        self._store = store
        self._clock = clock
        self._room = room
        self._busy: set[str] = set()

    async def append(self, name: str, offset: int, pieces: AsyncIterable[bytes], limit: int) -> Appended:
        """See BlobStore. Two appends to one blob at once: the second meets WrongOffset."""
        size = await self.size(name)
        if name in self._busy or offset != size:
            raise WrongOffset(size)
        self._busy.add(name)
        writing = _Writing(self._store, name, size)
        try:
            try:
                async for piece in pieces:
                    if writing.size + len(piece) > limit:
                        raise WrongOffset(writing.size)
                    await writing.add(piece)
            finally:
                # Whatever ended the sending, the bytes that came are kept.
                await asyncio.shield(writing.flush())
            return Appended(size=writing.size, at=self._clock.now())
        except AlreadyExistsError:
            raise WrongOffset(await self.size(name)) from None
        finally:
            self._busy.discard(name)

    async def size(self, name: str) -> int:
        """See BlobStore."""
        with _told_when_away():
            try:
                parts = _listed(bytes(await (await self._store.get_async(checked(name) + WHOLE)).bytes_async()))
            except FileNotFoundError:
                parts = await self._parts(name)
        return sum(part.length for part in parts)

    async def room(self) -> int:
        """See BlobStore: an S3 store cannot be asked, so this is what the setting says."""
        return self._room

    async def finish(self, name: str) -> None:
        """See BlobStore."""
        with _told_when_away():
            parts = await self._parts(name)
            if not parts:
                raise FileNotFoundError(name)
            listed = canonical({"v": 1, "parts": [[part.offset, part.length] for part in parts]})
            try:
                await self._store.put_async(name + WHOLE, listed, mode="create")
            except AlreadyExistsError:
                return

    async def discard(self, name: str) -> None:
        """See BlobStore."""
        with _told_when_away():
            try:
                await self._store.head_async(checked(name) + WHOLE)
            except FileNotFoundError:
                # From the end, so that what an interrupted discard leaves is a shorter blob and not one with a hole.
                for part in reversed(await self._parts(name)):
                    await self._store.delete_async(_key(name, part.offset))

    def open(self, name: str) -> BinaryIO:
        """See BlobStore."""
        with _told_when_away():
            try:
                parts = _listed(bytes(self._store.get(checked(name) + WHOLE).bytes()))
            except FileNotFoundError:
                raise FileNotFoundError(name) from None
        return io.BufferedReader(_Reader(self._store, name, parts), AHEAD)

    async def probe(self, name: str) -> None:
        """Put something, read it, delete it; raise BlobsRefused if the store puts it twice."""
        key, store = f"{checked(name)}.probe", self._store
        with _told_when_away():
            try:
                await store.put_async(key, b"one", mode="create")
                try:
                    await store.put_async(key, b"two", mode="create")
                except AlreadyExistsError:
                    return
                raise BlobsRefused(
                    "this store does not keep to If-None-Match: two workers could overwrite each other"
                )
            except (PermissionDeniedError, UnauthenticatedError, PermissionError) as error:
                raise BlobsRefused("this store does not let the hall in with this key") from error
            finally:
                with suppress(BaseError, OSError):
                    await store.delete_async(key)

    async def _parts(self, name: str) -> list[Part]:
        """Return the parts there are, from the beginning on and without a hole."""
        found: list[Part] = []
        async for batch in self._store.list(f"{checked(name)}/"):
            found += [Part(int(one["path"].rpartition("/")[2], 16), one["size"]) for one in batch]
        end, parts = 0, []
        for part in sorted(found, key=lambda one: one.offset):
            if part.offset != end:
                break
            parts.append(part)
            end += part.length
        return parts


class _Writing:
    """Gathers pieces into parts and puts each. ``size``: where the blob ends with what was gathered."""

    def __init__(self, store: S3Store, name: str, size: int) -> None:
        self._store = store
        self._name = name
        self._put = size
        self._gathered = bytearray()

    @property
    def size(self) -> int:
        return self._put + len(self._gathered)

    async def add(self, piece: bytes) -> None:
        self._gathered += piece
        while len(self._gathered) >= PART:
            await self._put_part(bytes(self._gathered[:PART]))

    async def flush(self) -> None:
        if self._gathered:
            await self._put_part(bytes(self._gathered))

    async def _put_part(self, data: bytes) -> None:
        key = _key(self._name, self._put)
        with _told_when_away():
            try:
                await self._store.put_async(key, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                # Perhaps it was ours, and its acknowledgement got lost on the way.
                if bytes(await (await self._store.get_async(key)).bytes_async()) != data:
                    self._gathered.clear()
                    raise
        del self._gathered[: len(data)]
        self._put += len(data)


class _Reader(io.RawIOBase):
    """Reads the parts as one file."""

    def __init__(self, store: S3Store, name: str, parts: Sequence[Part]) -> None:
        self._store = store
        self._name = name
        self._parts = parts
        self._size = sum(part.length for part in parts)
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if begin + offset < 0:
            raise ValueError("before the beginning")
        self._at = begin + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        part = next((one for one in self._parts if one.offset <= self._at < one.offset + one.length), None)
        if part is None or not len(view):
            return 0
        start = self._at - part.offset
        length = min(len(view), part.length - start)
        with _told_when_away():
            data = self._store.get_range(_key(self._name, part.offset), start=start, length=length)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


def s3_blobs(url: str, clock: Clock, *, room: int, key_file: Path | None = None) -> S3Blobs:
    """Return the blobs at ``s3://BUCKET/PREFIX?endpoint=URL&region=NAME``.

    The key is in ``key_file`` (its id and its secret, a line each), else in the environment as every S3 client has
    it (``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, or the machine's own role).

    Raises:
        BlobsRefused: the address or the file says something else.
    """
    parts = urlsplit(url)
    asked = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    if not parts.netloc or parts.username or set(asked) - {"endpoint", "region"}:
        raise BlobsRefused(f"{parts.scheme}://{parts.hostname or ''} is no address of a bucket")
    endpoint = asked.get("endpoint", "")
    config: dict[str, str] = {"region": asked.get("region", "us-east-1"), "conditional_put": "etag"}
    if endpoint:
        config["endpoint"] = endpoint
    if key_file is not None:
        config["access_key_id"], config["secret_access_key"] = _key_in(key_file)
    store = S3Store(
        parts.netloc,
        prefix=parts.path.strip("/") or None,
        config=config,  # type: ignore[arg-type]
        client_options={"allow_http": endpoint.startswith("http:"), "connect_timeout": "5s", "timeout": "30s"},
        retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=20)},
    )
    return S3Blobs(store, clock, room=room)


def _key_in(file: Path) -> tuple[str, str]:
    try:
        lines = file.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise BlobsRefused(f"{file} cannot be read") from error
    if len(lines) != 2:
        raise BlobsRefused(f"{file} does not hold two lines, the id of a key and its secret")
    return lines[0], lines[1]


def _key(name: str, offset: int) -> str:
    return f"{name}/{offset:016x}"


def _listed(text: bytes) -> list[Part]:
    return [Part(offset, length) for offset, length in json.loads(text)["parts"]]


@contextmanager
def _told_when_away() -> Iterator[None]:
    try:
        yield
    except (AlreadyExistsError, FileNotFoundError, PermissionDeniedError, UnauthenticatedError):
        raise  # the last two: somebody has to set it right, asking again does not
    except (BaseError, OSError) as error:
        raise Unanswered from error
