"""How the certificate of a timestamp authority stood when it gave a token."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("anchors", sa.Column("proof", sa.Text, nullable=True))
