"""What `fleet doctor` looks at, each thing by itself: a state, what was seen, and the exact thing to do."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path

from reconciler.adapters.files import UNVERSIONED
from reconciler.model.findings import errors
from reconciler.model.value import dataclass
from reconciler.shell.refusal import Refusal
from reconciler.shell.variables import refuse_unknown
from reconciler.shell.workspace import Workspace

PYTHON = (3, 11)
TOOLS: Mapping[str, str] = {
    "kubectl": "the runbooks' commands by hand",
    "podman": "the local target",
    "trivy": "the gate of builds",
    "buildah": "builds without a Dagger engine",
    "dagger": "builds",
    "dot": "drawing what `fleet graph` writes",
}
"""Programs that some commands run, and what for. None is needed to lint, plan and apply."""
_SECONDS = 10


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor."""

    name: str
    state: State
    seen: str
    fix: str = ""


def of_machine(environ: Mapping[str, str]) -> Iterator[Check]:
    """Python, git, the tools, and our variables."""
    version = platform.python_version()
    old = sys.version_info[:2] < PYTHON
    yield Check("python", State.FAIL, version, "install Python 3.11 or later") if old else Check("python", State.OK, version)
    yield _git()
    try:
        refuse_unknown(environ)
        yield Check("variables", State.OK, "every FLEET_* variable is known")
    except Refusal as refused:
        yield Check("variables", State.FAIL, refused.message, refused.fix)
    for tool, purpose in TOOLS.items():
        found = shutil.which(tool)
        yield Check(tool, State.OK, found or f"not installed; only {purpose} would need it")


def _git() -> Check:
    found = shutil.which("git")
    if found is None:
        return Check("git", State.FAIL, "not installed", "apt-get install git, or https://git-scm.com/downloads")
    try:
        told = subprocess.run((found, "--version"), capture_output=True, text=True, timeout=_SECONDS, check=True).stdout.strip()  # noqa: S603  # git itself
    except (OSError, subprocess.SubprocessError) as fault:
        return Check("git", State.FAIL, f"{found} does not run: {fault}", "install git anew")
    return Check("git", State.OK, told)


def of_repository(workspace: Workspace) -> Iterator[Check]:
    """The repository: under git, its specs without errors, a folder for our own files."""
    root = workspace.root
    revision = workspace.reading.tree.revision
    dirty = ", with edits that are not committed" if workspace.reading.tree.dirty else ""
    if revision != UNVERSIONED:
        yield Check("repository", State.OK, f"{root} at {revision[:7]}{dirty}")
    else:
        yield Check(
            "repository", State.WARN, f"{root} is not under git: no history, no rollback", "git init && git add . && git commit -m begin"
        )
    wrong = errors(workspace.reading.findings)
    many = len(workspace.reading.fleet.resources)
    yield (
        Check("specs", State.FAIL, f"{len(wrong)} errors; the first: {wrong[0].place}: {wrong[0].message}", "fleet lint")
        if wrong
        else Check("specs", State.OK, f"{many} specs, no errors")
    )
    yield _own_folder(root / ".fleet")


def _own_folder(folder: Path) -> Check:
    near = folder if folder.exists() else folder.parent
    if os.access(near, os.W_OK | os.X_OK):
        return Check("own files", State.OK, f"{folder} can be written")
    return Check(
        "own files", State.WARN, f"{folder} cannot be written: no history, slower plans", f"chmod u+wx {near}, or set FLEET_LEDGER"
    )
