"""Run by Alembic, inside the transaction of whoever asked for it."""

from alembic import context

from reconciler.adapters.ledger.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
context.run_migrations()
