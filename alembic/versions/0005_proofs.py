"""What certificates were judged by."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

APPEND_ONLY = tuple(
    f"""CREATE TRIGGER proofs_never_{verb} BEFORE {act} ON proofs
        BEGIN SELECT RAISE(ABORT, 'a proof is never changed'); END"""
    for verb, act in (("change", "UPDATE"), ("go", "DELETE"))
)


def upgrade() -> None:
    op.create_table(
        "proofs",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        for trigger in APPEND_ONLY:
            op.execute(trigger)
