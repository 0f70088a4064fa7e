"""A hall that tampers with its own database before T0, and runs everything else honestly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from crypto.encoding import canonical
from crypto.receipt import decoy_leaf, issue, log_leaf, verify_receipt
from crypto.receipt_file import ReceiptFile
from crypto.signing import HallKey
from crypto.tlog import Checkpoint, Tree, sign_checkpoint, write_proof
from sessions.chaining import Head, chain
from sessions.codec import event_to_json
from sessions.events import BidReceived, Happening, Recorded, Stream
from sessions.intake.receipts import receipt_of, tracker_of
from sessions.logging_receipts import blinding
from sessions.shape import rfc3339
from tests.support.ceremony import a_plan
from tests.support.shell import SESSION, Shell
from tests.support.team import by_hand

ORIGIN = f"hall.example/s/{SESSION}/intake"
Change = Callable[[Sequence[Recorded]], Sequence[Recorded]]


async def receipts(hall: Shell, key: HallKey) -> list[str]:
    """Return every receipt that the hall gave, in order: it signs the same bytes each time."""
    intake = await hall.sessions.intake(SESSION)
    log = await hall.sessions.events(SESSION, Stream.INTAKE)
    return [issue(receipt_of(record, intake.plan), key) for record in log if isinstance(record.event, BidReceived)]


async def with_proof(hall: Shell, key: HallKey, token: str) -> ReceiptFile:
    """Return the receipt with its proof in the log as it stands, under a checkpoint of this moment."""
    entries = await hall.stores.events.entries(SESSION)
    tree = Tree(entries)
    index = entries.index(log_leaf(verify_receipt(token, key.public)))
    note = sign_checkpoint(Checkpoint(origin=ORIGIN, size=len(entries), root=tree.root()), key)
    return ReceiptFile(token=token, hall=key.public, proof=write_proof(index, tree.inclusion_proof(index), note))


async def rewrite_intake(hall: Shell, change: Change) -> None:
    """Put another past into the database, chained as if it had always been so, and let the hall believe it."""
    log = change(await hall.sessions.events(SESSION, Stream.INTAKE))
    head, rows = Head(), []
    for record in log:
        told = Happening(at=record.at, actor=record.actor, event=record.event)
        chained = chain(head, SESSION, Stream.INTAKE, told)
        head = head.after(chained)
        rows.append(chained)
    with by_hand(hall.folder) as database:
        database.drop_triggers()
        database.execute("DELETE FROM events WHERE stream = 'intake'")
        database.executemany("INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", map(_row, rows))
    hall.sessions._appenders.clear()


async def pass_off_as_decoy(hall: Shell, key: HallKey, token: str) -> None:
    """Put a decoy into the log where this receipt stood."""
    entries = await hall.stores.events.entries(SESSION)
    index = entries.index(log_leaf(verify_receipt(token, key.public)))
    by = await blinding(hall.stores.secrets, SESSION)
    with by_hand(hall.folder) as database:
        database.drop_triggers()
        decoy = decoy_leaf(SESSION, index, by.decoy_key)
        database.execute('UPDATE entries SET entry = ? WHERE "index" = ?', (decoy, index))


def without_bid(tracker: str) -> Change:
    return lambda log: [r for r in log if not (isinstance(r.event, BidReceived) and r.event.tracker == tracker)]


def with_salt(tracker: str, salt: str) -> Change:
    """Let the event of this bid have another leaf salt than the receipt that was given."""

    def salted(record: Recorded) -> Recorded:
        event = record.event
        if not isinstance(event, BidReceived) or event.tracker != tracker:
            return record
        salted = replace(record, event=replace(event, leaf_salt=salt))
        return replace(salted, event=replace(event, leaf_salt=salt, tracker=tracker_of(salted, a_plan())))

    return lambda log: [salted(record) for record in log]


def _row(record: Recorded) -> tuple[object, ...]:
    name, data, _ = event_to_json(record.event)
    return (
        record.session,
        record.stream.value,
        record.number,
        rfc3339(record.at),
        record.actor.role.value,
        record.actor.id,
        record.actor.name,
        name,
        canonical(data).decode(),
        None,
        None,
        record.previous,
        record.digest,
    )
