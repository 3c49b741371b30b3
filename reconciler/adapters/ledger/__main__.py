"""Brings the ledger whose URL comes on stdin up to date, and ends.

For processes that run for weeks: what Alembic takes of memory would stay with them, although it is needed once a release.
"""

import sys

from sqlalchemy.engine import make_url

from reconciler.adapters.ledger.engine import engine_at
from reconciler.adapters.ledger.schema import bring_up_to_date

if __name__ == "__main__":
    with engine_at(make_url(sys.stdin.readline().strip())).connect() as plain:
        connection = plain.execution_options(writes=True)
        with connection.begin():
            bring_up_to_date(connection)
