"""What the hall signed of its logs, and what witnesses and timestamp authorities said to it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.String(24)

SQLITE = tuple(
    f"""CREATE TRIGGER {table}_never_{verb} BEFORE {act} ON {table}
        BEGIN SELECT RAISE(ABORT, 'what was signed is never changed'); END"""
    for table in ("checkpoints", "anchors", "convictions")
    for verb, act in (("change", "UPDATE"), ("go", "DELETE"))
)
POSTGRESQL = tuple(
    f"""CREATE TRIGGER {table}_never_{name} BEFORE {act} ON {table}
        FOR EACH {each} EXECUTE FUNCTION kaibiao_refuse('what was signed is never changed')"""
    for table in ("checkpoints", "anchors", "convictions")
    for name, act, each in (
        ("change", "UPDATE", "ROW"),
        ("go", "DELETE", "ROW"),
        ("go_at_once", "TRUNCATE", "STATEMENT"),
    )
)


def upgrade() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("origin", sa.String(300), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("follows", sa.Integer, nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("origin", "size"),
        sa.UniqueConstraint("origin", "follows"),
        sa.CheckConstraint("follows < size", name="a_log_only_grows"),
    )
    op.create_table(
        "anchors",
        sa.Column("session", sa.String(128), sa.ForeignKey("sessions.id"), nullable=False),
        sa.Column("point", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("evidence", sa.LargeBinary, nullable=False),
        sa.Column("said_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("session", "point", "kind", "by"),
    )
    op.create_table(
        "convictions",
        sa.Column("session", sa.String(128), sa.ForeignKey("sessions.id"), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("session", "by"),
    )
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
