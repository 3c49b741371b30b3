"""The commands of images, run in this process as a person would run them in a folder."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

from click.testing import CliRunner, Result

from pipelines.main import MOUNTED

QUIET = {"NO_COLOR": "1", "GITHUB_ACTIONS": None, "GITHUB_TOKEN": None, "FLEET_ENV": None, "FLEET_REPO": None, "CI": None}


def fleet(group: str, *arguments: object, cwd: Path, **environ: str | None) -> Result:
    """Runs it; stdout and stderr apart."""
    assert group in MOUNTED
    command = importlib.import_module(f"pipelines.shell.{group}").command
    before = Path.cwd()
    os.chdir(cwd)
    try:
        result = CliRunner(env={**QUIET, **environ}).invoke(command, [str(argument) for argument in arguments])
    finally:
        os.chdir(before)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
