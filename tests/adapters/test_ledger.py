import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Thread

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.engine import make_url

from reconciler.adapters.ledger import SqlLedger, components_at, open_at, schema
from reconciler.adapters.ledger.engine import engine_at
from reconciler.adapters.ledger.tables import VERSION, metadata
from reconciler.model.findings import Finding, Place, Severity
from reconciler.model.manifests import Manifest, ObjectId, Observed, Stage
from reconciler.model.plan import Block, Create, Delete, Plan
from reconciler.model.refs import Ref
from reconciler.model.result import Ending, Outcome, Proof, Result, Status
from reconciler.ports import ComponentRecord, ImageRecord, RunRecord, RunState, StepRecord, StepState

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
WEB = ObjectId("apps", "Deployment", "platform", "web")
OLD = ObjectId("", "Service", "platform", "old")
STUCK = ObjectId("", "PersistentVolumeClaim", "platform", "data")
FINDING = Finding(
    "SVC101", Severity.WARNING, Place("specs/services/platform/web.yaml", 7, 3), Ref("Service", "web", "platform"), "no health", "add one"
)


def plan(hash: str = "sha256:p", **fields) -> Plan:
    web = Manifest(WEB, "apps/v1", {}, "d", Ref("Service", "web", "platform"), Stage.WORKLOADS, 10)
    steps = (
        Create(web, ("new",)),
        Block(STUCK, "Service/platform/web", Stage.WORKLOADS, 10, "it cannot shrink"),
        Delete(Observed(OLD, "u", "1", {}), "Service/platform/old", Stage.WORKLOADS, ("gone",)),
    )
    return Plan(hash, "9f3c2ab", True, "trial", steps, findings=(FINDING,), **fields)


def started(id: str = "r1", minutes: int = 0, environment: str = "trial") -> RunRecord:
    return RunRecord(id, environment, "9f3c2ab", "sha256:p", RunState.RUNNING, NOON + timedelta(minutes=minutes), None, "ana")


def ended(run: RunRecord) -> RunRecord:
    return replace(run, state=RunState.COMPLETED, ended=run.started + timedelta(seconds=9), summary={"done": 1}, message="done")


RESULT = Result("sha256:p", (Outcome(WEB, "create", Status.DONE, owner="Service/platform/web"),), Ending.COMPLETED, "done")


class Told(list[str]):
    def __call__(self, sentence: str) -> None:
        self.append(sentence)


@pytest.fixture
def told() -> Told:
    return Told()


def unprivileged() -> dict[str, object]:
    """PostgreSQL does not run as root."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster of our own, reached by a socket only."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = shutil.which("initdb") or (str(found[-1]) if found else "")
    if not initdb:
        pytest.skip("there is no PostgreSQL server here (apt-get install postgresql)")
    programs = Path(initdb).resolve().parent
    root = Path(
        subprocess.run(
            ["mktemp", "-d", "/tmp/fleet-postgres-XXXXXX"], capture_output=True, check=True, text=True, **unprivileged()
        ).stdout.strip()
    )
    try:
        run = {"check": True, "capture_output": True, "cwd": root, **unprivileged()}
        subprocess.run([programs / "initdb", "-D", root / "data", "-U", "fleet", "-A", "trust", "-N"], **run)
        options = f"-c listen_addresses= -k {root} -c fsync=off"
        subprocess.run([programs / "pg_ctl", "-D", root / "data", "-w", "-l", root / "log", "-o", options, "start"], **run)
        try:
            yield f"postgresql+psycopg://fleet@/postgres?host={root}"
        finally:
            subprocess.run([programs / "pg_ctl", "-D", root / "data", "-m", "immediate", "stop"], **run)
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/.fleet/ledger.db"
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    server = request.getfixturevalue("postgres")
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    name = f"t{abs(hash(tmp_path))}"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def ledger(url: str, told: Told) -> Iterator[SqlLedger]:
    ledger = open_at(url, told)
    yield ledger
    assert told == []


def test_a_run_is_remembered_with_its_steps_and_findings(ledger):
    ledger.begin(started(), plan())
    assert ledger.runs("trial", 10) == (started(),)
    assert [step.state for step in ledger.run("r1").steps] == [StepState.PENDING, StepState.BLOCKED, StepState.PENDING]
    ledger.finish(ended(started()), RESULT)
    detail = ledger.run("r1")
    assert detail.run == ended(started())
    assert detail.steps == (
        StepRecord(str(WEB), "create", StepState.COMPLETED, "", "Service/platform/web"),
        StepRecord(str(STUCK), "block", StepState.BLOCKED, "it cannot shrink", "Service/platform/web"),
        StepRecord(str(OLD), "delete", StepState.CANCELLED, "the run ended before it", "Service/platform/old"),
    )
    assert detail.findings == (FINDING,)


def test_a_run_is_told_as_far_as_it_is_and_what_it_left_out_with_the_reason(ledger):
    run = replace(started(), state=RunState.PLANNED)
    ledger.begin(run, plan())
    ledger.advance(replace(run, state=RunState.RUNNING), {})
    ledger.advance(replace(run, state=RunState.RUNNING), {str(WEB): StepState.NEEDS_QA, "nothing": StepState.COMPLETED})
    detail = ledger.run("r1")
    assert detail.run.state is RunState.RUNNING
    assert {step.object: step.state for step in detail.steps} == {
        str(WEB): StepState.NEEDS_QA,
        str(STUCK): StepState.BLOCKED,
        str(OLD): StepState.PENDING,
    }
    outcomes = (
        Outcome(WEB, "create", Status.DONE, "its pods crash", "Service/platform/web", Proof.FAILED),
        Outcome(OLD, "delete", Status.BLOCKED, "a guard holds it", "Service/platform/old"),
    )
    ledger.finish(replace(ended(run), state=RunState.BLOCKED), Result("sha256:p", outcomes, Ending.BLOCKED))
    detail = ledger.run("r1")
    assert [(step.state, step.reason) for step in detail.steps if step.object != str(STUCK)] == [
        (StepState.FAILED, "its pods crash"),
        (StepState.BLOCKED, "a guard holds it"),
    ]
    awaited = replace(outcomes[0], proof=Proof.AWAITED)
    ledger.finish(ended(run), Result("sha256:p", (awaited,), Ending.HELD))
    assert ledger.run("r1").steps[0].state is StepState.NEEDS_QA


def test_runs_are_newest_first_by_environment(ledger):
    for minute in range(5):
        ledger.begin(started(f"r{minute}", minute, "trial" if minute % 2 else "production"), plan())
    assert [run.id for run in ledger.runs("production", 10)] == ["r4", "r2", "r0"]
    assert [run.id for run in ledger.runs(None, 2)] == ["r4", "r3"]
    assert ledger.runs("elsewhere", 10) == ()


def test_a_run_is_found_by_the_beginning_of_its_id(ledger):
    for id in ("abc", "abd", "ab"):
        ledger.begin(started(id), plan())
    assert ledger.run("abc").run.id == "abc"
    assert ledger.run("ab").run.id == "ab"
    assert ledger.run("a") is None
    assert ledger.run("x") is None
    assert ledger.run("%") is None


def test_a_run_that_nobody_saw_begin_is_remembered_by_its_end(ledger):
    ledger.finish(ended(started()), RESULT)
    detail = ledger.run("r1")
    assert detail.run == replace(ended(started()), plan_hash="")
    assert [step.state for step in detail.steps] == [StepState.COMPLETED]


def test_the_same_plan_may_be_run_again(ledger):
    ledger.begin(started("r1"), plan())
    ledger.begin(started("r2"), plan())
    assert len(ledger.runs("trial", 10)) == 2


def test_moments_keep_their_meaning_in_any_zone(ledger):
    manila = NOON.astimezone(timezone(timedelta(hours=8)))
    ledger.begin(replace(started(), started=manila), plan())
    assert ledger.run("r1").run.started == NOON


def test_the_oldest_runs_are_forgotten_with_all_that_was_theirs(url, told):
    ledger = open_at(url, told, kept=3)
    for minute in range(6):
        run = replace(started(f"r{minute}", minute), revision=f"rev{minute}", plan_hash=f"p{minute}")
        ledger.begin(run, plan(f"p{minute}"))
        ledger.finish(ended(run), RESULT)
    ledger.begin(started("other", -60, "production"), plan("q"))
    ledger.finish(ended(started("other", -60, "production")), RESULT)
    assert [run.id for run in ledger.runs(None, 10)] == ["r5", "r4", "r3", "other"]
    with ledger._engine.connect() as connection:
        counts = {table: connection.scalar(text(f"SELECT count(*) FROM {table}")) for table in ("steps", "findings", "plans", "revisions")}
    assert counts == {"steps": 12, "findings": 4, "plans": 4, "revisions": 4}
    assert told == []


def test_a_run_that_was_killed_ends_as_failed_one_day(ledger):
    ledger.begin(started("killed"), plan())
    later = started("later", 60 * 25)
    ledger.begin(later, plan())
    assert ledger.run("killed").run.state is RunState.RUNNING
    ledger.finish(ended(later), RESULT)
    assert (ledger.run("killed").run.state, ledger.run("killed").run.message) == (RunState.FAILED, "it never said how it ended")


def test_a_large_run_is_remembered_whole(ledger):
    ids = [ObjectId("", "ConfigMap", "platform", f"c{number}") for number in range(3000)]
    manifests = [Manifest(id, "v1", {}, "d", Ref("Service", "web", "platform"), Stage.WORKLOADS, 0) for id in ids]
    ledger.begin(started(), replace(plan(), steps=tuple(Create(manifest, ()) for manifest in manifests)))
    outcomes = tuple(Outcome(id, "create", Status.DONE) for id in ids[:2500])
    ledger.finish(ended(started()), replace(RESULT, outcomes=outcomes))
    states = [step.state for step in ledger.run("r1").steps]
    assert (states.count(StepState.COMPLETED), states.count(StepState.CANCELLED)) == (2500, 500)


WRITER = """
import sys
from datetime import UTC, datetime
from reconciler.adapters.ledger import open_at
from reconciler.model.plan import Plan
from reconciler.model.result import Ending, Result
from reconciler.ports import ComponentRecord, ImageRecord, RunRecord, RunState

url, first = sys.argv[1], int(sys.argv[2])
ledger = open_at(url, sys.exit)
for number in range(first, first + 5):
    run = RunRecord(f"r{number}", "trial", "9f3c2ab", "p", RunState.RUNNING, datetime(2026, 11, 21, tzinfo=UTC), None, "ana")
    ledger.begin(run, Plan("p", "9f3c2ab", False, "trial", ()))
    ledger.finish(run, Result("p", (), Ending.COMPLETED))
"""


def test_many_writers_at_once_lose_nothing(url, told):
    """The first writers also race for the schema."""
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, url, str(100 * number)], stderr=subprocess.PIPE) for number in range(2)]
    for writer in writers:
        _, said = writer.communicate()
        assert writer.returncode == 0, said.decode()
    assert len(open_at(url, told).runs("trial", 100)) == 10


def test_many_threads_share_one_ledger(url, told):
    ledger = open_at(url, told)
    threads = [Thread(target=lambda number=number: ledger.begin(started(f"r{number}", number), plan())) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(ledger.runs("trial", 100)), told) == (16, [])


def test_the_migrations_make_what_a_new_ledger_has(url):
    with begun(url) as connection:
        schema.migrate(connection)
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        migrated = described(connection)
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
        schema.bring_up_to_date(connection)
        assert described(connection) == migrated
        assert schema.version(connection) == VERSION


@contextmanager
def begun(url: str) -> Iterator[Connection]:
    """One transaction, before any ledger is there."""
    engine = engine_at(make_url(url))
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection
    engine.dispose()


def described(connection) -> dict[str, object]:
    """Every table with its columns, keys and indexes, as the database itself tells."""
    looked = inspect(connection)
    return {
        name: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in looked.get_columns(name)],
            looked.get_pk_constraint(name),
            sorted(map(str, looked.get_foreign_keys(name))),
            sorted(map(str, looked.get_indexes(name))),
        )
        for name in looked.get_table_names()
    }


def test_the_version_is_that_of_the_newest_migration():
    assert ScriptDirectory(str(Path(schema.__file__).parent / "migrations")).get_current_head() == VERSION


def test_a_current_schema_needs_no_alembic(tmp_path):
    url = f"sqlite:///{tmp_path}/ledger.db"
    open_at(url, print).begin(started(), plan())
    program = (
        "import sys; from reconciler.adapters.ledger import open_at; "
        f"assert open_at({url!r}, print).runs('trial', 1); print('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize(
    ("before", "at"), [("", "sqlalchemy.sql.ddl.SchemaGenerator.visit_index"), ("0001", "alembic.op.create_index")], ids=["new", "older"]
)
def test_an_interrupted_migration_starts_over(url, told, monkeypatch, before, at):
    """Schema changes are transactional in both databases."""
    broken = Told()
    if before:
        with begun(url) as connection:
            schema.migrate(connection, before)
    monkeypatch.setattr(at, lambda *_, **__: (_ for _ in ()).throw(OSError("power cut")))
    open_at(url, broken).begin(started(), plan())
    assert len(broken) == 1
    monkeypatch.undo()
    ledger = open_at(url, told)
    ledger.begin(started(), plan())
    assert (len(ledger.runs("trial", 10)), told) == (1, [])


def test_a_ledger_of_a_newer_fleet_is_left_alone(url, told):
    ledger = open_at(url, told)
    ledger.begin(started(), plan())
    with ledger._engine.connect().execution_options(writes=True) as connection, connection.begin():
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    ledger.begin(started("r2"), plan())
    assert ledger.runs("trial", 10) == ()
    assert len(told) == 1
    assert "written by a newer version of fleet" in told[0]


def test_reading_a_ledger_that_is_not_there_makes_none(tmp_path, told):
    ledger = open_at(f"sqlite:///{tmp_path}/.fleet/ledger.db", told)
    assert (ledger.runs("trial", 10), ledger.run("r1"), told) == ((), None, [])
    assert not (tmp_path / ".fleet").exists()


def test_deleting_the_file_harms_nothing(tmp_path, told):
    ledger = open_at(f"sqlite:///{tmp_path}/ledger.db", told)
    ledger.begin(started(), plan())
    for file in tmp_path.iterdir():
        file.unlink()
    ledger.finish(ended(started()), RESULT)
    assert ([run.state for run in ledger.runs("trial", 10)], told) == ([RunState.COMPLETED], [])


def corrupt(file: Path) -> None:
    file.write_bytes(b"this is no database, whatever its name says" * 100)


def cut_short(file: Path) -> None:
    open_at(f"sqlite:///{file}", print).begin(started(), plan())
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with file.open("r+b") as whole:
        whole.truncate(5000)


def of_another_program(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE runs (x INTEGER)")
    connection.close()


def a_folder(file: Path) -> None:
    file.mkdir()


def below_a_file(file: Path) -> None:
    file.parent.rmdir()
    file.parent.write_text("")


@pytest.mark.parametrize("spoil", [corrupt, cut_short, of_another_program, a_folder, below_a_file])
def test_a_file_that_is_no_ledger_is_told_once_and_stops_nothing(tmp_path, told, spoil):
    file = tmp_path / "deep" / "ledger.db"
    file.parent.mkdir()
    spoil(file)
    ledger = open_at(f"sqlite:///{file}", told)
    ledger.begin(started(), plan())
    ledger.finish(ended(started()), RESULT)
    assert (ledger.runs("trial", 10), ledger.run("r1")) == ((), None)
    assert len(told) == 1
    assert told[0].startswith(f"the history in {file} is not kept: ")
    assert "Traceback" not in told[0]
    assert "INSERT" not in told[0]


def test_a_full_disk_is_told_once_and_stops_nothing(tmp_path, told):
    url = f"sqlite:///{tmp_path}/ledger.db"
    ledger = open_at(url, told)
    ledger.begin(started("r0"), plan())
    from sqlalchemy import event

    event.listen(ledger._engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count=1"))
    many = replace(plan(), findings=(replace(FINDING, message="x" * 4000),) * 500)
    ledger.begin(started("r1"), many)
    ledger.finish(ended(started("r1")), RESULT)
    assert len(told) == 1
    assert "full" in told[0]
    again = Told()
    assert [run.id for run in open_at(url, again).runs("trial", 10)] == ["r0"]
    assert again == []


def test_a_ledger_that_somebody_locks_is_told_once_and_stops_nothing(tmp_path, told, monkeypatch):
    monkeypatch.setattr("reconciler.adapters.ledger.engine.BUSY_SECONDS", 0)
    url = f"sqlite:///{tmp_path}/ledger.db"
    open_at(url, told).begin(started("r0"), plan())
    holder = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    ledger = open_at(url, told)
    assert len(ledger.runs("trial", 10)) == 1
    ledger.begin(started("r1"), plan())
    holder.close()
    assert len(told) == 1
    assert "locked" in told[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write")
def test_a_ledger_that_may_not_be_written_is_told_once_and_stops_nothing(tmp_path):
    root = Path(tempfile.mkdtemp(prefix="fleet-readonly-", dir="/tmp"))
    try:
        root.chmod(0o755)
        url = f"sqlite:///{root}/ledger.db"
        warm = WRITER.replace("sys.exit)", "print)").replace("import sys", "import os, sys")
        program = (
            warm + "os.setgid(65534); os.setuid(65534)\nledger.begin(run, Plan('q', 'r', False, 'trial', ()))\nledger.finish(run, None)\n"
        )
        done = subprocess.run([sys.executable, "-c", program, url, "5"], capture_output=True, text=True, check=True)
        assert done.stdout.startswith(f"the history in {root}/ledger.db is not kept: ")
        assert done.stdout.count("\n") == 1
    finally:
        shutil.rmtree(root)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("not a url", "its URL is not one"),
        ("nosuchdatabase://x", "not known"),
        ("postgresql+psycopg://ana:hunter2@127.0.0.1:1/x", "connection"),
        ("sqlite:////proc/nowhere/ledger.db", "No such file"),
    ],
)
def test_a_database_out_of_reach_is_told_once_without_its_password(url, why, told):
    ledger = open_at(url, told)
    ledger.begin(started(), plan())
    ledger.finish(ended(started()), RESULT)
    assert ledger.runs("trial", 10) == ()
    assert len(told) == 1
    assert why in told[0]
    assert "hunter2" not in told[0]
    assert "\n" not in told[0]


def test_without_its_driver_the_extra_is_named(told, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    open_at("postgresql+psycopg://fleet@localhost/x", told).begin(started(), plan())
    assert "install fleetwright[postgres]" in told[0]


def test_a_power_cut_leaves_a_consistent_file(tmp_path, told):
    """The file and its log, copied in the middle of writing as a cut of power would leave them."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    ledger = open_at(url, told)
    keep = sqlite3.connect(tmp_path / "ledger.db")
    for number in range(20):
        run = started(f"r{number:02}", number)
        ledger.begin(run, plan())
        copy = tmp_path / f"copy{number}"
        copy.mkdir()
        for name in ("ledger.db", "ledger.db-wal"):
            if (tmp_path / name).exists():
                data = (tmp_path / name).read_bytes()
                (copy / name).write_bytes(data[: len(data) - 100 * number] if name.endswith("wal") else data)
        ledger.finish(ended(run), RESULT)
        with sqlite3.connect(copy / "ledger.db") as after:
            assert after.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            runs = after.execute("SELECT count(*) FROM runs").fetchone()[0] if number else 1
            steps = after.execute("SELECT count(*) FROM steps").fetchone()[0] if number else 3
        after.close()
        assert steps == 3 * runs
    keep.close()
    assert told == []


def image(digit: str, name: str = "web", days: int = 0, verdict: str = "passed") -> ImageRecord:
    return ImageRecord(f"sha256:{digit * 64}", name, "9f3c2ab", verdict, NOON + timedelta(days=days))


LIBSSL = ComponentRecord("deb", "libssl3", "3.0.11-1", "openssl", "pkg:deb/debian/libssl3@3.0.11-1", "base")
REQUESTS = ComponentRecord("pypi", "requests", "2.19.0", "", "pkg:pypi/requests@2.19.0", "web")


def test_packages_are_found_by_name_and_by_source_in_every_image(url, told):
    contents = components_at(url, told)
    contents.keep(image("a", "base"), [LIBSSL])
    contents.keep(image("b", "web", 1), [LIBSSL, REQUESTS])
    assert contents.named(["openssl"]) == ((image("a", "base"), LIBSSL), (image("b", "web", 1), LIBSSL))
    assert contents.named(["requests", "Requests"]) == ((image("b", "web", 1), REQUESTS),)
    assert contents.named(["libssl"]) == ()
    assert contents.images() == (image("b", "web", 1), image("a", "base"))
    assert told == []


def test_an_image_that_is_noted_again_keeps_the_day_it_was_first_noted(url, told):
    contents = components_at(url, told)
    contents.keep(image("a"), [LIBSSL])
    contents.keep(image("a", days=3, verdict="failed"), [REQUESTS])
    assert contents.images() == (image("a", verdict="failed"),)
    assert contents.named(["libssl3", "requests"]) == ((image("a", verdict="failed"), REQUESTS),)
    assert told == []


def test_an_image_that_is_gone_is_forgotten_with_what_was_in_it(url, told):
    contents = components_at(url, told)
    for digit in "ab":
        contents.keep(image(digit), [LIBSSL])
    contents.forget([image("a").digest, "sha256:never"])
    assert contents.named(["libssl3"]) == ((image("b"), LIBSSL),)
    assert told == []


def test_hostile_names_of_packages_are_kept_as_text(url, told):
    contents = components_at(url, told)
    hostile = ComponentRecord("pypi", "'; DROP TABLE images; --\x1b\0", "1" * 10_000, "", "p", "web")
    contents.keep(image("a"), [hostile])
    ((_, found),) = contents.named(["'; DROP TABLE images; --\x1b"])
    assert len(found.version) == 600
    assert told == []


def test_contents_of_images_that_cannot_be_kept_are_told_once_and_stop_nothing(tmp_path, told):
    (tmp_path / "ledger.db").write_bytes(b"not a database" * 1000)
    contents = components_at(f"sqlite:///{tmp_path}/ledger.db", told)
    contents.keep(image("a"), [LIBSSL])
    assert (contents.named(["libssl3"]), contents.images(), len(told)) == ((), (), 1)


def test_reading_contents_where_nothing_was_kept_makes_no_file(tmp_path, told):
    assert components_at(f"sqlite:///{tmp_path}/.fleet/ledger.db", told).named(["openssl"]) == ()
    assert not (tmp_path / ".fleet").exists()
