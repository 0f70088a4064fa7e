"""Every store of one hall, opened together."""

from __future__ import annotations

from pathlib import Path

from sessions.clock import Clock
from sessions.masterkey import MasterKeys
from sessions.service import Stores
from sessions.store.blobs import FolderBlobs
from sessions.store.checkpoints import SqlCheckpoints
from sessions.store.database import Database
from sessions.store.events import SqlEvents
from sessions.store.evidence import SqlEvidence
from sessions.store.intake import SqlIntake
from sessions.store.proofs import SqlProofs
from sessions.store.vault import Vault


def stores(database: Database, folder: Path, clock: Clock) -> Stores:
    """Return the stores over ``database``, with blobs and the master key in ``folder``. Migrate first."""
    return Stores(
        events=SqlEvents(database),
        intake=SqlIntake(database),
        secrets=Vault(database, MasterKeys(folder)),
        evidence=SqlEvidence(database),
        blobs=FolderBlobs(folder / "bids", clock),
        checkpoints=SqlCheckpoints(database),
        proofs=SqlProofs(database),
    )
