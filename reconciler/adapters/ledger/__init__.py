"""The ledger in a database: SQLite in a file, or whatever a URL names. History only: without it everything else works the same."""

from reconciler.adapters.ledger.contents import SqlComponents, components_at
from reconciler.adapters.ledger.database import is_current
from reconciler.adapters.ledger.outbox import SqlOutbox
from reconciler.adapters.ledger.store import SqlLedger, open_at

__all__ = ["SqlComponents", "SqlLedger", "SqlOutbox", "components_at", "is_current", "open_at"]
