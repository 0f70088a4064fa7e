"""Runs the migrations on the connection it is given (sessions.store.migrations), or on ``-x url=...`` by hand."""

from alembic import context
from sqlalchemy import Connection, create_engine

from sessions.store.tables import metadata


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with create_engine(context.get_x_argument(as_dictionary=True)["url"]).begin() as by_hand:
        run(by_hand)
