"""cosign and oras, as Debian trixie has them: two programs, pinned by the hashes of their packages, unpacked and not installed."""

from __future__ import annotations

import platform
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.engines import cache, debian
from tests.engines.cache import EngineMissing

SUITE = "trixie"
PACKAGES = {
    "cosign": ("2.5.0-2+b4", "aef4fb6635710fd369ef73c07dde35540f45c877984e20f37aa11e181bb597c3"),
    "oras": ("1.2.0-1+b9", "5f138419f0e4bc128ee4717b06190dc5770cf120ab7e3a991e5b3e9158f3189e"),
}
PREFIX = "signing-tools-"

Say = Callable[[str], None]


def signing_tools(say: Say) -> Path:
    """The folder with `cosign` and `oras`. Raises EngineMissing."""
    if platform.machine() != "x86_64":
        raise EngineMissing("the hashes of cosign and oras are known for amd64 only")
    return cache.reuse(PREFIX) or cache.make(PREFIX, lambda into: _fetch(into, say))


def _fetch(into: Path, say: Say) -> str:
    say("fetching cosign and oras from Debian packages, once: some seconds")
    with tempfile.TemporaryDirectory(prefix="debian-", dir=into.parent) as scratch:
        work = Path(scratch)
        apt = debian.private_apt(work, SUITE)
        for name, (version, wanted) in PACKAGES.items():
            debian.run(["apt-get", *apt, "-q", "download", f"{name}={version}"], work)
            archive = next(work.glob(f"{name}_*.deb"))
            if (found := cache.sha256(archive)) != wanted:
                raise EngineMissing(f"the package {archive.name} has the hash {found}, and {wanted} is known to be good")
            debian.run(["dpkg-deb", "-x", archive, work / "root"], work)
            shutil.copy2(work / "root/usr/bin" / name, into / name)
    version = "-".join(version.partition("-")[0] for version, _ in PACKAGES.values())
    cache.seal(into, version=version)
    return version
