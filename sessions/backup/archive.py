"""The file: its members, its manifest, and the errors that reading one can meet (FORMAT.md)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.jws"
PUBLIC: Final = "hall-keys.json"
KEYS: Final = "keys.sealed"
README: Final = "README.txt"
KIND: Final = "backup"

EPHEMERAL: Final = frozenset({"alembic_version", "logins", "workers", "leases", "holds", "once"})
"""Tables that are left out: who is logged in, who serves, what processes told each other."""

ABOUT: Final = """\
开标大厅备份 / Backup of a bid opening hall (Kaibiao)

本文件含全部开标记录、已加密的投标文件、收据与账户（口令仅为摘要）。开标时间之前，凭本文件可知道谁已投标：请与数据库同等保管。
{keys_zh}
恢复：kaibiao restore 本文件 --into 空文件夹

This file holds every record of every opening, the sealed bids, the receipts, and the staff accounts (passwords as
digests only). Before the opening time it tells who has bid: guard it as you guard the database.
{keys_en}
To restore: kaibiao restore THIS-FILE --into AN-EMPTY-FOLDER
"""
WITH_KEYS: Final = (
    "其中含平台签名密钥与主密钥，以口令加密：知道口令者可以平台名义签名。",
    "It holds the hall's signing keys and master keys under a passphrase: whoever knows it can sign as the hall.",
)
WITHOUT_KEYS: Final = (
    "其中不含任何密钥：请另行备份 hall-key*.pem、hall-key*.jws 与 master*.key，缺少它们则已解密的投标不能再次打开。",
    "It holds no keys: keep hall-key*.pem, hall-key*.jws and master*.key elsewhere; no released bid opens without.",
)


class BackupRefused(Exception):
    """A backup cannot be made or read, or the target is not empty; ``hint`` tells the next step."""

    def __init__(self, sentence: str, hint: str) -> None:
        super().__init__(sentence)
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What the manifest says of a member: rows of a table or bytes of a file, and the digest of its content."""

    count: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is in the file, as the hall signed it."""

    at: str
    revision: str
    tables: Mapping[str, Member]
    blobs: Mapping[str, Member]
    heads: Mapping[str, Mapping[str, int]]
    keys: bool
    kid: str
    media: Mapping[str, Member] | None = None  # recordings; None: they were left out

    def to_json(self) -> bytes:
        """Return the member's content."""
        return json.dumps({"v": 2, **asdict(self)}, indent=1, sort_keys=True).encode()

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """Return the manifest. Raises BackupRefused."""
        try:
            form: dict[str, Any] = json.loads(data)
            if form.pop("v") not in (1, 2):  # 1: before recordings were in it
                raise BackupRefused("the backup is of a later version", "Install the version that made it, or newer.")
            members = {
                kind: {name: Member(**each) for name, each in form[kind].items()}
                for kind in ("tables", "blobs", "media")
                if form.get(kind) is not None
            }
            return cls(**form | members)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise damaged(MANIFEST) from error


def damaged(member: str) -> BackupRefused:
    """Return what is said of a member that is not what it was."""
    return BackupRefused(
        f"the backup is damaged: {member}", "Take another backup file; nothing was restored from it."
    )


def to_line(values: list[Any]) -> bytes:
    """Return one row as a line of a table's member."""
    return json.dumps([_out(value) for value in values], ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def from_line(line: bytes) -> list[Any]:
    """Return the row. Raises ValueError."""
    return [_in(value) for value in json.loads(line)]


def _out(value: Any) -> Any:
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _in(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    try:
        return base64.b64decode(value["b64"], validate=True)
    except (KeyError, TypeError, binascii.Error) as error:
        raise ValueError("not bytes") from error
