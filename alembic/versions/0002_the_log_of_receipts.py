"""The log of receipts: entries that show nothing, numbered from 0 without gaps."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SQLITE = (
    """CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries
       BEGIN SELECT RAISE(ABORT, 'an entry is never changed'); END""",
    """CREATE TRIGGER entries_never_go BEFORE DELETE ON entries
       BEGIN SELECT RAISE(ABORT, 'an entry is never deleted'); END""",
    """CREATE TRIGGER entries_come_in_order BEFORE INSERT ON entries
       WHEN NEW."index" <> (SELECT 1 + coalesce(max("index"), -1) FROM entries WHERE session = NEW.session)
       BEGIN SELECT RAISE(ABORT, 'an entry follows the one before it'); END""",
)
POSTGRESQL = (
    """CREATE FUNCTION kaibiao_entry_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF NEW."index" <> (SELECT 1 + coalesce(max("index"), -1) FROM entries WHERE session = NEW.session)
         THEN RAISE EXCEPTION USING MESSAGE = 'an entry follows the one before it',
                                    ERRCODE = 'integrity_constraint_violation';
         END IF;
         RETURN NEW;
       END $$""",
    """CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries
       FOR EACH ROW EXECUTE FUNCTION kaibiao_refuse('an entry is never changed')""",
    """CREATE TRIGGER entries_never_go BEFORE DELETE ON entries
       FOR EACH ROW EXECUTE FUNCTION kaibiao_refuse('an entry is never deleted')""",
    """CREATE TRIGGER entries_never_go_at_once BEFORE TRUNCATE ON entries
       FOR EACH STATEMENT EXECUTE FUNCTION kaibiao_refuse('an entry is never deleted')""",
    """CREATE TRIGGER entries_come_in_order BEFORE INSERT ON entries
       FOR EACH ROW EXECUTE FUNCTION kaibiao_entry_in_order()""",
)


def upgrade() -> None:
    op.create_table(
        "entries",
        sa.Column("session", sa.String(128), sa.ForeignKey("sessions.id"), nullable=False),
        sa.Column("index", sa.Integer, nullable=False),
        sa.Column("entry", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("session", "index"),
    )
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
