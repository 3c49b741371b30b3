"""Builds an API server for custom resources (k8s.io/apiextensions-apiserver) from Debian's source packages; nothing is installed.

The schemas of the built-in kinds come from the same packages: client-go carries them for server-side apply.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from tests.engines.cache import EngineMissing, seal

SOURCE = "golang-k8s-apiextensions-apiserver-dev"
SUITE = "sid"  # the only suite whose Kubernetes libraries are recent
SCHEMAS = "usr/share/gocode/src/k8s.io/client-go/applyconfigurations/internal/internal.go"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
STREAMS = 4
PREFIX = "apiextensions-1-"  # the number is this recipe's: change it when what the folder holds changes

Say = Callable[[str], None]


def run(command: Sequence[str | Path], cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env={**os.environ, "LC_ALL": "C", **(env or {})}, capture_output=True, text=True, check=False)
    if done.returncode:
        last = re.sub(r"\w+://\S+", "(the mirror)", "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:]))
        raise EngineMissing(f"{Path(command[0]).name} failed while the API server was built from Debian packages: {last}")
    return done.stdout


def release() -> str:
    """The code name of this machine's Debian release, such as bookworm."""
    found = re.search(r"^VERSION_CODENAME=(\S+)$", Path("/etc/os-release").read_text(), re.MULTILINE)
    return found[1] if found else "stable"


def mirror(cwd: Path) -> str:
    """The Debian mirror that this machine's own apt sources name for its own release."""
    listing = run(["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages"], cwd)
    for line in listing.splitlines():
        suite, _, uri = line.partition(" ")
        if suite == release():
            return uri
    raise EngineMissing("the apt sources of this machine name no mirror for its Debian release")


def private_apt(work: Path, suite: str) -> list[str]:
    """Options that give apt its own, fresh lists and state under `work`, with one suite as its source."""
    if not shutil.which("apt-get"):
        raise EngineMissing(
            "it can be had from Debian packages only where apt-get is: set KUBEBUILDER_ASSETS to a folder that has the engines"
        )
    for folder in ("state/lists/partial", "cache/archives/partial", "parts"):
        (work / folder).mkdir(parents=True)
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    (work / "sources.list").write_text(f"deb {signed}{mirror(work)} {suite} main\n")
    (work / "status").touch()
    options = {
        "Dir::Etc::sourcelist": work / "sources.list",
        "Dir::Etc::sourceparts": work / "parts",
        "Dir::Etc::preferences": work / "none",
        "Dir::Etc::preferencesparts": work / "parts",
        "Dir::State": work / "state",
        "Dir::State::status": work / "status",
        "Dir::Cache": work / "cache",
        "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
        "Acquire::Languages": "none",
        "Acquire::Check-Valid-Until": "false",  # a mirror that lags will do; signatures are checked all the same
        "Acquire::Retries": "3",
    }
    apt = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
    run(["apt-get", *apt, "-q", "update"], work)
    return apt


def choose(apt: list[str], work: Path) -> tuple[str, dict[str, str]]:
    """Go's newest version, and the source packages that the build needs, each with its version."""
    names = run(["apt-cache", *apt, "pkgnames", "golang-1."], work).split()
    versions = sorted(tuple(map(int, found[1].split("."))) for name in names if (found := re.fullmatch(r"golang-([\d.]+)-go", name)))
    if not versions:
        raise EngineMissing(f"the Debian mirror of this machine has no Go compiler in {SUITE}")
    go = ".".join(map(str, versions[-1]))
    steps = run(["apt-get", *apt, "-s", "install", "--no-install-recommends", SOURCE, f"golang-{go}-go"], work)
    return go, dict(re.findall(r"^Inst (golang-\S+) \((\S+)", steps, re.MULTILINE))


def fetch(apt: list[str], packages: dict[str, str], work: Path) -> Path:
    """Downloads the packages (apt checks their hashes) and unpacks them under one root."""
    wanted = [f"{name}={version}" for name, version in packages.items()]
    archives, root = work / "archives", work / "root"
    archives.mkdir()
    with ThreadPoolExecutor(STREAMS) as pool:
        list(pool.map(lambda part: run(["apt-get", *apt, "-q", "download", *part], archives), [wanted[n::STREAMS] for n in range(STREAMS)]))
        list(pool.map(lambda file: run(["dpkg-deb", "-x", file, root], work), sorted(archives.glob("*.deb"))))
    shutil.rmtree(archives)
    return root


def compile_server(root: Path, go: str, work: Path, into: Path) -> None:
    env = {
        "GOROOT": str(root / f"usr/lib/go-{go}"),
        "GOPATH": str(root / "usr/share/gocode"),
        "GOCACHE": str(work / "gocache"),
        "GO111MODULE": "off",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }
    compiler = root / f"usr/lib/go-{go}/bin/go"
    run([compiler, "build", "-trimpath", "-ldflags", "-s -w", "-o", into / "apiserver", "k8s.io/apiextensions-apiserver"], work, env)


def extract_schemas(root: Path, into: Path) -> None:
    """Writes the types of the built-in kinds (structured-merge-diff's schema language) as JSON, by name."""
    source = (root / SCHEMAS).read_text()
    found = re.search(r"YAMLObject\(`(.*?)`\)", source, re.DOTALL)
    if not found:
        raise EngineMissing("client-go in Debian no longer carries the schemas of the built-in kinds where this build looks for them")
    types = yaml.load(found[1], Loader=yaml.CSafeLoader)["types"]
    (into / "types.json").write_text(json.dumps({one.pop("name"): one for one in types}, separators=(",", ":")))


def build(into: Path, say: Say) -> str:
    """Fills `into` with `apiserver` and `types.json`, and returns their version. Takes minutes, and 4 GB of disk while it runs."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="debian-", dir=into.parent) as scratch:
        work = Path(scratch)
        say("building an API server from Debian packages, once: about 5 minutes on 2 cores")
        apt = private_apt(work, SUITE)
        go, packages = choose(apt, work)
        say(f"  downloading {len(packages)} source packages, about 300 MB")
        root = fetch(apt, packages, work)
        say(f"  compiling with Go {go}, about 3 minutes")
        compile_server(root, go, work, into)
        extract_schemas(root, into)
    version = packages[SOURCE]
    seconds = time.monotonic() - began
    seal(into, version=version, go=go, seconds=round(seconds, 1))
    say(f"  built {version} in {seconds:.0f} s; it is kept in the cache")
    return version


def etcd(into: Path, say: Say) -> str:
    """Fills `into` with the etcd of this machine's Debian release, without installing it (that would start a service); its version."""
    with tempfile.TemporaryDirectory(prefix="debian-", dir=into.parent) as scratch:
        work = Path(scratch)
        say("fetching etcd from Debian packages, once: some seconds")
        run(["apt-get", *private_apt(work, release()), "-q", "download", "etcd-server"], work)
        archive = next(work.glob("*.deb"))
        version = run(["dpkg-deb", "-f", archive, "Version"], work).strip()
        run(["dpkg-deb", "-x", archive, work / "root"], work)
        shutil.copy2(work / "root/usr/bin/etcd", into / "etcd")
    seal(into, version=version)
    return version
