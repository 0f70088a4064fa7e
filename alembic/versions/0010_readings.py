"""How names are read aloud in an opening."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "readings",
        sa.Column("session", sa.String(128), sa.ForeignKey("sessions.id"), primary_key=True),
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("reading", sa.String(1000), nullable=False),
        sa.Column("by", sa.String(128), nullable=False),
        sa.Column("at", sa.String(24), nullable=False),
    )
