"""Signs of life of the hall's workers, and the incidents that they show."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pulses",
        sa.Column("worker", sa.String(64), primary_key=True),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("vote", sa.Text, nullable=False),
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("began", sa.String(24), nullable=False),
        sa.Column("noticed_at", sa.String(24), nullable=False),
        sa.Column("ended", sa.String(24)),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("figures", sa.Text, nullable=False),
    )
