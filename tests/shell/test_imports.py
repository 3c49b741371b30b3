"""What a command imports: a second that nobody asked for is a second in every pre-commit hook."""

import subprocess
import sys

import pytest

from tests.fleets import Repo

HEAVY = {"aiohttp", "alembic", "croniter", "dagger", "jsonschema", "kopf", "kubernetes", "rich", "sqlalchemy"}
SCRIPT = """
import sys
try:
    from pipelines.main import main
    main()
except SystemExit as done:
    assert done.code in (None, 0), done.code
print(*sorted({name.partition('.')[0] for name, module in sys.modules.items() if getattr(module, '__spec__', None)}))
"""


def imported(*arguments, folder):
    done = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.fixture
def folder(tmp_path):
    for path, text in Repo.small().files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_help_imports_no_client_and_no_model(folder):
    assert not imported("--help", folder=folder) & (HEAVY | {"pydantic", "yaml"})


def test_lint_imports_no_client(folder):
    found = imported("lint", folder=folder)
    assert "pydantic" in found  # it did look at the specs
    assert not found & (HEAVY | {"asyncio", "ssl"})
