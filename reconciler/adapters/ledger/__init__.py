"""The ledger in a database: SQLite in a file, or whatever a URL names. History only: without it everything else works the same."""

from reconciler.adapters.ledger.outbox import SqlOutbox
from reconciler.adapters.ledger.store import SqlLedger, is_current, open_at

__all__ = ["SqlLedger", "SqlOutbox", "is_current", "open_at"]
