"""What bidders and the hall say of themselves while keys are handed over."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "evidence",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("session", sa.String(128), sa.ForeignKey("sessions.id"), nullable=False),
        sa.Column("bidder", sa.String(128), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("statement", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.UniqueConstraint("session", "kind", "bidder", "number"),
    )
    op.create_index("evidence_by_bidder", "evidence", ["session", "kind", "bidder"])
