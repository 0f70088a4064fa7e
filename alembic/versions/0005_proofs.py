"""What certificates were judged by."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SQLITE = tuple(
    f"""CREATE TRIGGER proofs_never_{verb} BEFORE {act} ON proofs
        BEGIN SELECT RAISE(ABORT, 'a proof is never changed'); END"""
    for verb, act in (("change", "UPDATE"), ("go", "DELETE"))
)
POSTGRESQL = tuple(
    f"""CREATE TRIGGER proofs_never_{name} BEFORE {act} ON proofs
        FOR EACH {each} EXECUTE FUNCTION kaibiao_refuse('a proof is never changed')"""
    for name, act, each in (
        ("change", "UPDATE", "ROW"),
        ("go", "DELETE", "ROW"),
        ("go_at_once", "TRUNCATE", "STATEMENT"),
    )
)


def upgrade() -> None:
    op.create_table(
        "proofs",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
