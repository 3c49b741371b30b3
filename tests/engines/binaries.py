"""Where the engines are found: KUBEBUILDER_ASSETS, PATH, /usr/local/kubebuilder/bin, a download of envtest, Debian's packages."""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import yaml

from tests.engines import cache, debian
from tests.engines.cache import EngineMissing

KUBEBUILDER = Path("/usr/local/kubebuilder/bin")
# The index that controller-runtime's setup-envtest reads: releases -> archive -> {hash (sha512), selfLink}.
ENVTEST_INDEX = "https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml"
ENVTEST_PREFIX = "envtest-"
ETCD_PREFIX = "etcd-"
REACH_SECONDS = 4.0

Say = Callable[[str], None]


class Tier(StrEnum):
    """What stands behind the kubeconfig; every output of a trial names it."""

    REAL = "kube-apiserver"
    SHADOW = "apiextensions (shadow kinds)"


class Engines(NamedTuple):
    """The programs of one tier; `types` is the file with the schemas of the built-in kinds, which only the shadow tier needs."""

    tier: Tier
    etcd: Path
    server: Path
    types: Path | None = None


def tier_named(name: str) -> Tier:
    """The tier of a short or a full name, as in FLEET_TEST_CLUSTER; raises ValueError."""
    for tier in Tier:
        if name in {tier.value, tier.value.split()[0]}:
            return tier
    raise ValueError(f"unknown tier {name!r}: kube-apiserver or apiextensions")


def find(program: str) -> Path | None:
    """An installed program, first found wins."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    for folder in [Path(assets)] if assets else []:
        if os.access(folder / program, os.X_OK):
            return folder / program
    if on_path := shutil.which(program):
        return Path(on_path)
    return KUBEBUILDER / program if os.access(KUBEBUILDER / program, os.X_OK) else None


def envtest(say: Say) -> Path | None:
    """The folder of a downloaded envtest archive (kube-apiserver and etcd); None where the index cannot be reached at once."""
    if cached := cache.reuse(ENVTEST_PREFIX):
        return cached
    index = os.environ.get("FLEET_ENVTEST_INDEX", ENVTEST_INDEX)
    try:
        with urllib.request.urlopen(index, timeout=REACH_SECONDS) as answer:
            releases = yaml.safe_load(answer.read())["releases"]
        return cache.make(ENVTEST_PREFIX, lambda into: download_envtest(releases, into, say))
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return None


def download_envtest(releases: dict[str, dict[str, dict[str, str]]], into: Path, say: Say) -> str:
    """Unpacks the newest stable release for this machine into `into`; a wrong hash raises ValueError."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    stable = [version for version in releases if re.fullmatch(r"v\d+\.\d+\.\d+", version)]
    version = max(stable, key=lambda name: tuple(map(int, name[1:].split("."))))
    entry = releases[version][f"envtest-{version}-{platform.system().lower()}-{machine}.tar.gz"]
    say(f"downloading kube-apiserver and etcd {version} (envtest), about 60 MB")
    archive = into / "archive"
    with urllib.request.urlopen(entry["selfLink"], timeout=60) as answer, archive.open("wb") as file:
        shutil.copyfileobj(answer, file)
    if hashlib.sha512(archive.read_bytes()).hexdigest() != entry["hash"]:
        raise ValueError("the envtest archive does not have the hash of its index")
    with tarfile.open(archive) as tar:
        for member in tar:
            name = Path(member.name).name
            if name in {"etcd", "kube-apiserver"} and (content := tar.extractfile(member)):
                (into / name).write_bytes(content.read())
                (into / name).chmod(0o755)
    archive.unlink()
    cache.seal(into, version=version)
    return version


def etcd(say: Say) -> Path:
    """etcd, where it is installed; else the one of Debian, from the cache."""
    return find("etcd") or (cache.reuse(ETCD_PREFIX) or cache.make(ETCD_PREFIX, lambda into: debian.etcd(into, say))) / "etcd"


def real(say: Say) -> Engines | None:
    if server := find("kube-apiserver"):
        return Engines(Tier.REAL, etcd(say), server)
    folder = envtest(say)
    return Engines(Tier.REAL, folder / "etcd", folder / "kube-apiserver") if folder else None


def shadow(say: Say) -> Engines:
    folder = cache.reuse(debian.PREFIX) or cache.make(debian.PREFIX, lambda into: debian.build(into, say))
    return Engines(Tier.SHADOW, etcd(say), folder / "apiserver", folder / "types.json")


def engines(tier: Tier | None, say: Say) -> Engines:
    """The engines of a tier, else of the best tier to be had; raises EngineMissing. May download or build, and says so."""
    if tier is None and (forced := os.environ.get("FLEET_TEST_CLUSTER")):
        tier = tier_named(forced)
    if tier is not Tier.SHADOW and (found := real(say)):
        return found
    if tier is Tier.REAL:
        raise EngineMissing("kube-apiserver is missing: set KUBEBUILDER_ASSETS to a folder that has kube-apiserver and etcd")
    return shadow(say)


def version_of(engines: Engines) -> str:
    """The version of the API server, for people."""
    manifest = engines.server.parent / cache.MANIFEST
    if engines.tier is Tier.SHADOW:
        return str(json.loads(manifest.read_text())["version"])
    done = subprocess.run([engines.server, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip().removeprefix("Kubernetes ")


def at_hand(tier: Tier) -> bool:
    """Whether the tier is here already: installed, or in the cache, without a download or a build."""
    if tier is Tier.REAL:
        return bool(find("kube-apiserver") or cache.reuse(ENVTEST_PREFIX))
    return cache.reuse(debian.PREFIX) is not None
