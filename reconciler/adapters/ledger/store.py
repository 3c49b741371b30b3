"""The ledger: writes and reads, none of which ever stops a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, delete, insert, select, update

from reconciler.adapters.ledger import rows
from reconciler.adapters.ledger.database import Database
from reconciler.adapters.ledger.tables import findings, plans, revisions, runs, steps
from reconciler.model.plan import Plan
from reconciler.model.result import Result
from reconciler.ports import RunDetail, RunRecord, RunState, StepState

KEPT = 1000
"""Runs of each environment that are remembered."""
_ABANDONED = timedelta(days=1)
"""After that a run that never said how it ended was killed."""
_AT_ONCE = 500

V = TypeVar("V")


def open_at(url: str, warn: Callable[[str], None], kept: int = KEPT) -> SqlLedger:
    """The ledger at a database's URL. Nothing is opened before something is written or read."""
    return SqlLedger(url, warn, kept)


class SqlLedger(Database):
    """The port Ledger on SQLAlchemy. A fault is told once to `warn` as a sentence; from then on nothing more is tried."""

    def __init__(self, url: str, warn: Callable[[str], None], kept: int = KEPT) -> None:
        super().__init__(url, warn)
        self._kept = kept

    def begin(self, run: RunRecord, plan: Plan) -> None:
        """A run starts: it, its plan, its steps and the findings are noted."""
        self._do(lambda connection: _begin(connection, run, plan), None, writes=True)

    def advance(self, run: RunRecord, steps: Mapping[str, StepState]) -> None:
        """A run is further on: its state, and that of some of its steps, by their objects."""
        self._do(lambda connection: _advance(connection, run, steps), None, writes=True)

    def finish(self, run: RunRecord, result: Result) -> None:
        """A run ended: its state, and what became of each step. Old runs are forgotten."""
        self._do(lambda connection: _finish(connection, run, result, self._kept), None, writes=True)

    def runs(self, environment: str | None, limit: int) -> tuple[RunRecord, ...]:
        """The newest runs first, of one environment or of all."""
        return self._do(lambda connection: _runs(connection, environment, limit), ())

    def run(self, id: str) -> RunDetail | None:
        """One run by its id or the beginning of it; None where there is none or more than one."""
        return self._do(lambda connection: _run(connection, id), None)


def _begin(connection: Connection, run: RunRecord, plan: Plan) -> None:
    _note(connection, revisions, {"id": run.revision, "first_seen": run.started})
    _note(connection, plans, rows.plan_row(plan, run))
    connection.execute(insert(runs), rows.run_row(run) | {"plan_hash": plan.hash})
    for table, many in ((steps, rows.step_rows(plan, run)), (findings, rows.finding_rows(plan, run))):
        if many:
            connection.execute(insert(table), many)


def _advance(connection: Connection, run: RunRecord, states: Mapping[str, StepState]) -> None:
    connection.execute(update(runs).where(runs.c.id == run.id).values(state=run.state.value))
    for state in StepState:
        for some in _slices([name for name, now in states.items() if now is state]):
            connection.execute(update(steps).where(steps.c.run == run.id, steps.c.object.in_(some)).values(status=state.value))


def _finish(connection: Connection, run: RunRecord, result: Result, kept: int) -> None:
    ended = rows.run_row(run)
    del ended["plan_hash"]
    if not connection.execute(update(runs).where(runs.c.id == run.id).values(ended)).rowcount:
        _note(connection, revisions, {"id": run.revision, "first_seen": run.started})
        connection.execute(insert(runs), ended)
    _outcomes(connection, run, result)
    _forget(connection, run, kept)


def _outcomes(connection: Connection, run: RunRecord, result: Result) -> None:
    """What became of each step: those of the plan in their places, others behind them. What was not reached was cancelled."""
    planned = connection.execute(select(steps.c.object, steps.c.position).where(steps.c.run == run.id)).all()
    positions = {row.object: row.position for row in planned}
    outcomes = {str(outcome.id): outcome for outcome in result.outcomes}
    for place, name in enumerate(outcomes):
        positions.setdefault(name, len(planned) + place)
    done = [rows.outcome_row(run, positions[name], outcome) for name, outcome in outcomes.items()]
    for some in _slices([row["position"] for row in done]):
        connection.execute(delete(steps).where(steps.c.run == run.id, steps.c.position.in_(some)))
    if done:
        connection.execute(insert(steps), done)
    waiting = (steps.c.run == run.id) & (steps.c.status == StepState.PENDING.value)
    connection.execute(update(steps).where(waiting).values(status=StepState.CANCELLED.value, reason="the run ended before it"))


def _forget(connection: Connection, run: RunRecord, kept: int) -> None:
    """End what was killed, and keep the newest runs of this environment only."""
    lost = (runs.c.ended.is_(None)) & (runs.c.started < run.started - _ABANDONED)
    connection.execute(update(runs).where(lost).values(state=RunState.FAILED.value, message="it never said how it ended"))
    newest = select(runs.c.id).where(runs.c.environment == run.environment).order_by(runs.c.started.desc(), runs.c.id)
    old = list(connection.scalars(newest.offset(kept).limit(10 * _AT_ONCE)))
    for some in _slices(old):
        connection.execute(delete(steps).where(steps.c.run.in_(some)))
        connection.execute(delete(findings).where(findings.c.run.in_(some)))
        connection.execute(delete(runs).where(runs.c.id.in_(some)))
    if old:
        connection.execute(delete(plans).where(plans.c.hash.not_in(select(runs.c.plan_hash).where(runs.c.plan_hash.is_not(None)))))
        used = select(runs.c.revision).union(select(plans.c.revision))
        connection.execute(delete(revisions).where(revisions.c.id.not_in(used)))


def _runs(connection: Connection, environment: str | None, limit: int) -> tuple[RunRecord, ...]:
    wanted = select(runs).order_by(runs.c.started.desc(), runs.c.id).limit(limit)
    if environment is not None:
        wanted = wanted.where(runs.c.environment == environment)
    return tuple(rows.run_of(row) for row in connection.execute(wanted).mappings())


def _run(connection: Connection, id: str) -> RunDetail | None:
    found = connection.execute(select(runs).where(runs.c.id.startswith(id, autoescape=True)).order_by(runs.c.id).limit(2)).mappings().all()
    exact = [row for row in found if row["id"] == id] or found
    if len(exact) != 1:
        return None
    run = rows.run_of(exact[0])
    of_it = connection.execute(select(steps).where(steps.c.run == run.id).order_by(steps.c.position)).mappings()
    about_it = connection.execute(select(findings).where(findings.c.run == run.id).order_by(findings.c.position)).mappings()
    return RunDetail(run, tuple(map(rows.step_of, of_it)), tuple(map(rows.finding_of, about_it)))


def _note(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert what is not there yet; another process may be doing the same."""
    match connection.dialect.name:
        case "sqlite":
            from sqlalchemy.dialects import sqlite

            connection.execute(sqlite.insert(table).values(row).on_conflict_do_nothing())
        case "postgresql":
            from sqlalchemy.dialects import postgresql  # two megabytes that a ledger in a file does without

            connection.execute(postgresql.insert(table).values(row).on_conflict_do_nothing())
        case _:
            key = next(iter(table.primary_key))
            if connection.scalar(select(key).where(key == row[key.name])) is None:
                connection.execute(insert(table), row)


def _slices(many: Sequence[V]) -> Iterator[Sequence[V]]:
    return (many[start : start + _AT_ONCE] for start in range(0, len(many), _AT_ONCE))
