"""The builders that the contract is run on, and what each needs of the machine."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from pipelines.adapters.buildah import Buildah, Settings
from pipelines.adapters.engine import Credential, DaggerBuilder
from pipelines.adapters.engine.address import CLI, RUNNER
from pipelines.ports import Builder
from tests.engines.cache import EngineMissing

ONLY = "FLEET_TEST_BUILDERS"
"""Names of builders, with commas: the contract is run on these alone."""


@cache
def engine() -> Mapping[str, str]:
    """The environment of a real Dagger engine; EngineMissing where none is reachable."""
    if os.environ.get(RUNNER):
        return {**os.environ}
    if not shutil.which("docker") or subprocess.run(["docker", "version"], capture_output=True, check=False).returncode:
        raise EngineMissing(f"no Dagger engine is reachable: set {RUNNER} (and {CLI}), or start Docker")
    return {**os.environ}


Logins = Mapping[str, tuple[str, str]]
"""User and password by registry."""


def dagger(_: Path, logins: Logins) -> Builder:
    return DaggerBuilder(engine(), {host: Credential(*login) for host, login in logins.items()})


def buildah(state: Path, logins: Logins) -> Builder:
    """Debian's buildah, with its storage under `state`."""
    if not shutil.which("buildah"):
        raise EngineMissing("there is no buildah: apt-get install buildah")
    state.mkdir()
    kept = {host: {"auth": base64.b64encode(":".join(login).encode()).decode()} for host, login in logins.items()}
    (state / "auth.json").write_text(json.dumps({"auths": kept}))
    return Buildah(Settings(root=state / "root", environment=os.environ, authfile=state / "auth.json"))


KNOWN: Mapping[str, Callable[[Path, Logins], Builder]] = {"dagger": dagger, "buildah": buildah}
