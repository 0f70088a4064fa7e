"""Who serves a hall: its workers, which of them leads a session, and what one of them remembers for all."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "workers",
        sa.Column("number", big, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("until", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,  # a number is never given twice, also when its worker is gone
    )
    op.create_table(
        "leases",
        sa.Column("session", sa.String(128), sa.ForeignKey("sessions.id"), primary_key=True),
        sa.Column("worker", big, sa.ForeignKey("workers.number", ondelete="CASCADE"), nullable=False),
    )
    op.create_index("leases_by_worker", "leases", ["worker"])
    op.create_table(
        "holds",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("session", sa.String(128), sa.ForeignKey("sessions.id"), nullable=False),
        sa.Column("worker", big, sa.ForeignKey("workers.number", ondelete="CASCADE"), nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_index("holds_by_session", "holds", ["session"])
    op.create_index("holds_by_worker", "holds", ["worker"])
    op.create_table(
        "once",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("content", sa.LargeBinary),
        sa.Column("until", sa.String(24), nullable=False),
    )
    op.create_index("once_by_until", "once", ["until"])
    with op.batch_alter_table("uploads") as uploads:
        gone = sa.ForeignKey("workers.number", name="uploads_worker_fkey", ondelete="SET NULL")
        uploads.add_column(sa.Column("worker", sa.BigInteger, gone))
    op.create_index("uploads_by_worker", "uploads", ["worker"])
    op.create_index("uploads_by_state", "uploads", ["state"])
