"""How late an opening reached those who watched, counted by class."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lags",
        sa.Column("session", sa.String(128), sa.ForeignKey("sessions.id"), primary_key=True),
        sa.Column("within_ms", sa.Integer, primary_key=True),
        sa.Column("reports", sa.BigInteger, nullable=False),
    )
