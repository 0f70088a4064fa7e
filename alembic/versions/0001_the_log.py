"""The log and what stands around it: sessions, events, outcomes, uploads, answers, releases, secrets, accounts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.String(24)

# Rows of the log are never changed or removed, and never put in out of order: not by this program's mistakes and not
# by REPLACE, which deletes without firing a DELETE trigger unless the connection asks for it, nor by TRUNCATE, which
# fires none for rows.
SQLITE = (
    """CREATE TRIGGER events_never_change BEFORE UPDATE ON events
       BEGIN SELECT RAISE(ABORT, 'an event is never changed'); END""",
    """CREATE TRIGGER events_never_go BEFORE DELETE ON events
       BEGIN SELECT RAISE(ABORT, 'an event is never deleted'); END""",
    """CREATE TRIGGER events_come_in_order BEFORE INSERT ON events
       WHEN NEW.number <> 1 + (SELECT coalesce(max(number), 0) FROM events
                               WHERE session = NEW.session AND stream = NEW.stream)
         OR NEW.prev <> coalesce((SELECT digest FROM events WHERE session = NEW.session AND stream = NEW.stream
                                                            AND number = NEW.number - 1), '"""
    + "0" * 64
    + """')
       BEGIN SELECT RAISE(ABORT, 'an event follows the one before it'); END""",
)
POSTGRESQL = (
    # Class 23, so that drivers tell it as they tell SQLite's refusals: the integrity of the data forbids it.
    """CREATE FUNCTION kaibiao_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN RAISE EXCEPTION USING MESSAGE = TG_ARGV[0], ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE FUNCTION kaibiao_event_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF NEW.number <> 1 + (SELECT coalesce(max(number), 0) FROM events
                               WHERE session = NEW.session AND stream = NEW.stream)
           OR NEW.prev <> coalesce((SELECT digest FROM events WHERE session = NEW.session AND stream = NEW.stream
                                                              AND number = NEW.number - 1), repeat('0', 64))
         THEN RAISE EXCEPTION USING MESSAGE = 'an event follows the one before it',
                                    ERRCODE = 'integrity_constraint_violation';
         END IF;
         RETURN NEW;
       END $$""",
    """CREATE TRIGGER events_never_change BEFORE UPDATE ON events
       FOR EACH ROW EXECUTE FUNCTION kaibiao_refuse('an event is never changed')""",
    """CREATE TRIGGER events_never_go BEFORE DELETE ON events
       FOR EACH ROW EXECUTE FUNCTION kaibiao_refuse('an event is never deleted')""",
    """CREATE TRIGGER events_never_go_at_once BEFORE TRUNCATE ON events
       FOR EACH STATEMENT EXECUTE FUNCTION kaibiao_refuse('an event is never deleted')""",
    """CREATE TRIGGER events_come_in_order BEFORE INSERT ON events
       FOR EACH ROW EXECUTE FUNCTION kaibiao_event_in_order()""",
)


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("t0", MOMENT, nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("step", sa.String(64)),
        sa.Column("due", MOMENT),
        sa.Column("ended_at", MOMENT),
    )
    op.create_index("sessions_by_t0", "sessions", ["t0"])
    op.create_index("sessions_by_due", "sessions", ["ended_at", "due"])
    op.create_table(
        "events",
        sa.Column("session", sa.String(128), sa.ForeignKey("sessions.id"), nullable=False),
        sa.Column("stream", sa.String(16), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("actor_name", sa.Text, nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("private", sa.Text),
        sa.Column("salt", sa.String(128)),
        sa.Column("prev", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("session", "stream", "number"),
    )
    op.create_table(
        "outcomes",
        sa.Column("session", sa.String(128), sa.ForeignKey("sessions.id"), nullable=False),
        sa.Column("actor", sa.String(160), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("command", sa.String(64), nullable=False),
        sa.Column("numbers", sa.Text, nullable=False),
        sa.Column("refusal", sa.Text),
        sa.PrimaryKeyConstraint("session", "actor", "key"),
    )
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("session", sa.String(128), sa.ForeignKey("sessions.id"), nullable=False),
        sa.Column("bidder", sa.String(128), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("first_byte_at", MOMENT, nullable=False),
        sa.Column("completed_at", MOMENT),
        sa.Column("state", sa.String(16), nullable=False),
    )
    op.create_index("uploads_by_bidder", "uploads", ["bidder", "first_byte_at"])
    op.create_table(
        "answers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("session", sa.String(128), sa.ForeignKey("sessions.id"), nullable=False),
        sa.Column("bidder", sa.String(128), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("header_sha256", sa.String(64)),
        sa.Column("blob", sa.String(64)),
        sa.Column("statement", sa.Text, nullable=False),
        sa.Column("code", sa.String(64)),
    )
    op.create_index("answers_by_bidder", "answers", ["session", "bidder"])
    op.create_table(
        "releases",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("session", sa.String(128), sa.ForeignKey("sessions.id"), nullable=False),
        sa.Column("bidder", sa.String(128), nullable=False),
        sa.Column("group", sa.String(8), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("statement", sa.Text, nullable=False),
        sa.Column("code", sa.String(64)),
    )
    op.create_index("releases_by_session", "releases", ["session"])
    op.create_table(
        "secrets",
        sa.Column("session", sa.String(128), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("session", "name"),
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("password", sa.Text, nullable=False),
        sa.Column("totp", sa.LargeBinary, nullable=False),
        sa.Column("totp_used", sa.BigInteger, nullable=False),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("locked_until", MOMENT),
        sa.Column("disabled", sa.Boolean, nullable=False),
    )
    op.create_table(
        "logins",
        sa.Column("token_sha256", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("certificate", sa.LargeBinary),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
    )
    op.create_index("logins_by_subject", "logins", ["kind", "subject"])
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
