"""Every store of one hall, opened together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from sessions.clock import Clock
from sessions.ports import BlobStore
from sessions.service import Stores
from sessions.store.blobs import BlobsRefused, FolderBlobs
from sessions.store.checkpoints import SqlCheckpoints
from sessions.store.database import Database
from sessions.store.events import SqlEvents
from sessions.store.evidence import SqlEvidence
from sessions.store.intake import SqlIntake
from sessions.store.masterkey import MasterKeys
from sessions.store.proofs import SqlProofs
from sessions.store.vault import Vault

if TYPE_CHECKING:  # obstore comes with the extra `team`
    from sessions.store.s3 import S3Blobs


def blobs_at(
    url: str, folder: Path, clock: Clock, *, room: int, key_file: Path | None = None
) -> FolderBlobs | S3Blobs:
    """Return the blobs at ``url``: in ``folder`` without one, in another folder (``file:``) or a bucket (``s3:``).

    Raises:
        BlobsRefused: ``url`` is nothing of this, or what it needs is not installed.
    """
    match urlsplit(url).scheme:
        case "":
            return FolderBlobs(folder / "bids", clock)
        case "file" if (path := Path(unquote(urlsplit(url).path))).is_absolute():
            return FolderBlobs(path, clock)
        case "s3":
            try:
                from sessions.store.s3 import s3_blobs
            except ModuleNotFoundError as error:
                raise BlobsRefused(f"{error.name} is not installed: it comes with kaibiao[team]") from error
            return s3_blobs(url, clock, room=room, key_file=key_file)
        case other:
            raise BlobsRefused(f"bids cannot be kept at {other}:")


def stores(database: Database, folder: Path, clock: Clock, blobs: BlobStore | None = None) -> Stores:
    """Return the stores over ``database``, with the master key in ``folder``, and the blobs too unless given."""
    return Stores(
        events=SqlEvents(database),
        intake=SqlIntake(database),
        secrets=Vault(database, MasterKeys(folder)),
        evidence=SqlEvidence(database),
        blobs=blobs or FolderBlobs(folder / "bids", clock),
        checkpoints=SqlCheckpoints(database),
        proofs=SqlProofs(database),
    )
