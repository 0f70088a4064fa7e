"""The tables. JSON is kept as the canonical text that was hashed, moments as ISO 8601 text that sorts by time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger as Big
from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

from sessions.shape import rfc3339


class Moment(TypeDecorator[datetime]):
    """A moment of whole milliseconds in UTC."""

    impl = String(24)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> str | None:
        """Write it."""
        return None if value is None else rfc3339(value)

    def process_result_value(self, value: str | None, dialect: Any) -> datetime | None:
        """Read it."""
        return None if value is None else datetime.fromisoformat(value)


metadata = MetaData()

_Number = Big().with_variant(Integer, "sqlite")

workers = Table(  # a row is the right to write; whoever takes it away has fenced that worker
    "workers",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("until", Big, nullable=False),  # milliseconds since 1970 by the database's clock
    sqlite_autoincrement=True,
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("created_at", Moment, nullable=False),
    Column("plan", Text, nullable=False),
    Column("t0", Moment, nullable=False),
    Column("status", String(32), nullable=False),
    Column("step", String(64)),
    Column("due", Moment),
    Column("ended_at", Moment),
    Index("sessions_by_t0", "t0"),
    Index("sessions_by_due", "ended_at", "due"),
)

events = Table(  # append-only: triggers of the first migration refuse everything else
    "events",
    metadata,
    Column("session", String(128), ForeignKey("sessions.id"), nullable=False),
    Column("stream", String(16), nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Column("role", String(16), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("actor_name", Text, nullable=False),  # beside the chain: a name for people, not part of the fact
    Column("type", String(64), nullable=False),
    Column("data", Text, nullable=False),
    Column("private", Text),
    Column("salt", String(128)),
    Column("prev", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    PrimaryKeyConstraint("session", "stream", "number"),
)

entries = Table(  # the log of receipts, append-only and without a gap as events are
    "entries",
    metadata,
    Column("session", String(128), ForeignKey("sessions.id"), nullable=False),
    Column("index", Integer, nullable=False),
    Column("entry", LargeBinary(32), nullable=False),
    PrimaryKeyConstraint("session", "index"),
)

checkpoints = Table(  # a chain: each names the size of the one before, so two workers cannot both follow it
    "checkpoints",
    metadata,
    Column("origin", String(300), nullable=False),
    Column("size", Integer, nullable=False),
    Column("follows", Integer, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("note", Text, nullable=False),
    PrimaryKeyConstraint("origin", "size"),
    UniqueConstraint("origin", "follows"),
    CheckConstraint("follows < size", name="a_log_only_grows"),
)

anchors = Table(
    "anchors",
    metadata,
    Column("session", String(128), ForeignKey("sessions.id"), nullable=False),
    Column("point", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("by", String(200), nullable=False),
    Column("size", Integer, nullable=False),
    Column("evidence", LargeBinary, nullable=False),
    Column("said_at", Moment, nullable=False),
    Column("proof", Text, nullable=True),  # canonical JSON: how a timestamp authority's certificate stood
    PrimaryKeyConstraint("session", "point", "kind", "by"),
)

convictions = Table(  # proofs that this hall signed another log than it holds
    "convictions",
    metadata,
    Column("session", String(128), ForeignKey("sessions.id"), nullable=False),
    Column("by", String(200), nullable=False),
    Column("note", Text, nullable=False),
    PrimaryKeyConstraint("session", "by"),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("session", String(128), ForeignKey("sessions.id"), nullable=False),
    Column("actor", String(160), nullable=False),
    Column("key", String(128), nullable=False),
    Column("command", String(64), nullable=False),
    Column("numbers", Text, nullable=False),
    Column("refusal", Text),
    PrimaryKeyConstraint("session", "actor", "key"),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("session", String(128), ForeignKey("sessions.id"), nullable=False),
    Column("bidder", String(128), nullable=False),
    Column("name", Text, nullable=False),
    Column("length", Big, nullable=False),
    Column("first_byte_at", Moment, nullable=False),
    Column("completed_at", Moment),
    Column("state", String(16), nullable=False),
    # The worker at it: takes its bytes in, or checks them. None when that worker is gone.
    Column("worker", Big, ForeignKey("workers.number", ondelete="SET NULL")),
    Index("uploads_by_bidder", "bidder", "first_byte_at"),
    Index("uploads_by_worker", "worker"),
    Index("uploads_by_state", "state"),
)

answers = Table(
    "answers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("session", String(128), ForeignKey("sessions.id"), nullable=False),
    Column("bidder", String(128), nullable=False),
    Column("at", Moment, nullable=False),
    Column("header_sha256", String(64)),
    Column("blob", String(64)),
    Column("statement", Text, nullable=False),
    Column("code", String(64)),
    Index("answers_by_bidder", "session", "bidder"),
)

releases = Table(
    "releases",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("session", String(128), ForeignKey("sessions.id"), nullable=False),
    Column("bidder", String(128), nullable=False),
    Column("group", String(8), nullable=False),
    Column("at", Moment, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("statement", Text, nullable=False),
    Column("code", String(64)),
    Index("releases_by_session", "session"),
)

evidence = Table(  # what bidders and the hall said of themselves; the log has its digests
    "evidence",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("session", String(128), ForeignKey("sessions.id"), nullable=False),
    Column("bidder", String(128), nullable=False),  # "" for the hall's own
    Column("kind", String(16), nullable=False),  # sessions.ports.Kind
    Column("number", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Column("statement", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Index("evidence_by_bidder", "session", "kind", "bidder"),
    UniqueConstraint("session", "kind", "bidder", "number"),
)

secrets = Table(
    "secrets",
    metadata,
    Column("session", String(128), nullable=False),  # "" for the hall's own
    Column("name", String(200), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("session", "name"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("password", Text, nullable=False),  # Argon2id, PHC string
    Column("totp", LargeBinary, nullable=False),  # sealed
    Column("totp_used", Big, nullable=False),  # the last time step that was accepted: a code works once
    Column("roles", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("locked_until", Moment),
    Column("disabled", Boolean, nullable=False),
)

logins = Table(
    "logins",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),  # bidder | staff
    Column("subject", String(128), nullable=False),
    Column("name", Text, nullable=False),
    Column("certificate", LargeBinary),  # the certificate a bidder logged in with
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index("logins_by_subject", "kind", "subject"),
)

proofs = Table(  # what certificates were judged by, under its own SHA-256
    "proofs",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

leases = Table(  # who does the automatic part of a session
    "leases",
    metadata,
    Column("session", String(128), ForeignKey("sessions.id"), primary_key=True),
    Column("worker", _Number, ForeignKey("workers.number", ondelete="CASCADE"), nullable=False),
    Index("leases_by_worker", "worker"),
)

holds = Table(  # acts that came in time and are being answered: the bids stay shut until none is left
    "holds",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("session", String(128), ForeignKey("sessions.id"), nullable=False),
    Column("worker", _Number, ForeignKey("workers.number", ondelete="CASCADE"), nullable=False),
    Column("until", Big, nullable=False),  # as in workers
    Index("holds_by_session", "session"),
    Index("holds_by_worker", "worker"),
)

once = Table(  # what may be used once: tickets until they are, nonces from then on
    "once",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("content", LargeBinary),
    Column("until", Moment, nullable=False),
    Index("once_by_until", "until"),
)

pulses = Table(  # the newest sign of life of each worker: a gap in them is an outage
    "pulses",
    metadata,
    Column("worker", String(64), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("vote", Text, nullable=False),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("began", Moment, nullable=False),
    Column("noticed_at", Moment, nullable=False),
    Column("ended", Moment),
    Column("reasons", Text, nullable=False),
    Column("figures", Text, nullable=False),
)

lags = Table(  # how late an opening reached those who watched, as their pages reported it
    "lags",
    metadata,
    Column("session", String(128), ForeignKey("sessions.id"), primary_key=True),
    Column("within_ms", Integer, primary_key=True),
    Column("reports", Big, nullable=False),
)

readings = Table(  # how names are read aloud, where the host set it
    "readings",
    metadata,
    Column("session", String(128), ForeignKey("sessions.id"), primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("reading", String(1000), nullable=False),
    Column("by", String(128), nullable=False),
    Column("at", Moment, nullable=False),
)

contacts = Table(  # where bidders want to be told; an erased one takes its notices along
    "contacts",
    metadata,
    Column("account", String(128), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

notices = Table(  # the outbox: one row a day and account, without a word of what it says
    "notices",
    metadata,
    Column("account", String(128), ForeignKey("contacts.account", ondelete="CASCADE"), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("state", String(16), nullable=False),  # sessions.ports.Sending
    Column("tries", Integer, nullable=False),
    Column("again_at", Moment, nullable=False),
)
