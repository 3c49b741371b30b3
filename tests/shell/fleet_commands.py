"""The `fleet` command in a folder, and a small repository to run it on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result

from reconciler.shell.cli import cli

ROOT = Path(__file__).parents[2]


def fleet(*arguments, cwd=None, **environ) -> Result:
    """Runs a command in this process; stdout and stderr apart."""
    runner = CliRunner(env={"NO_COLOR": "1", "GITHUB_ACTIONS": None, "FLEET_ENV": None, "FLEET_REPO": None, **environ})
    before = Path.cwd()
    os.chdir(cwd or before)
    try:
        result = runner.invoke(cli, [str(argument) for argument in arguments])
    finally:
        os.chdir(before)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def process(*arguments, cwd=None, code="") -> subprocess.CompletedProcess:
    """Runs a command as a process of its own, or other code."""
    run = code or f"from reconciler.shell.cli import cli; cli({[str(argument) for argument in arguments]!r}, prog_name='fleet')"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run((sys.executable, "-c", run), cwd=cwd, env=environ, capture_output=True, text=True, check=False)
