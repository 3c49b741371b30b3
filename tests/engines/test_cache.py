"""Engines are made once, and trusted only as long as they are what was made."""

import hashlib
import io
import json
import os
import platform
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.engines import binaries, cache, certificates
from tests.engines.binaries import Tier
from tests.engines.cache import EngineMissing
from tests.engines.daemons import Daemon


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def builder(count: list[int], content: str = "engine"):
    def build(into: Path) -> str:
        count.append(1)
        (into / "engine").write_text(content)
        cache.seal(into, version="1")
        return "1"

    return build


def test_engine_is_made_once_however_many_ask():
    made: list[int] = []
    with ThreadPoolExecutor(4) as pool:
        folders = set(pool.map(lambda _: cache.make("thing-", builder(made)), range(4)))
    assert made == [1]
    assert [folder.name for folder in folders] == ["thing-1"]


def test_damaged_engine_is_made_again():
    made: list[int] = []
    folder = cache.make("thing-", builder(made))
    (folder / "engine").write_text("something else")
    assert cache.reuse("thing-") is None
    assert (cache.make("thing-", builder(made)) / "engine").read_text() == "engine"
    assert made == [1, 1]


def test_failed_build_leaves_nothing_behind():
    def build(into: Path) -> str:
        (into / "half").touch()
        raise EngineMissing("no luck")

    with pytest.raises(EngineMissing):
        cache.make("thing-", build)
    assert [path.name for path in cache.cache_root().iterdir()] == ["thing-.lock"]


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.delenv("FLEET_TEST_CLUSTER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binaries, "KUBEBUILDER", tmp_path / "absent")


def test_assets_folder_comes_before_the_path(nothing_installed: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for folder in ("assets", "path"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "etcd").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert binaries.find("etcd") == tmp_path / "path" / "etcd"
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    assert binaries.find("etcd") == tmp_path / "assets" / "etcd"
    assert binaries.find("kube-apiserver") is None


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A web server with an envtest release; the hash in its index can be made wrong."""
    site = tmp_path / "site"
    site.mkdir()
    with tarfile.open(site / "envtest.tar.gz", "w:gz") as tar:
        for name in ("etcd", "kube-apiserver", "kubectl"):
            member = tarfile.TarInfo(f"controller-tools/envtest/{name}")
            member.size = len(name)
            tar.addfile(member, io.BytesIO(name.encode()))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    Thread(target=server.serve_forever, daemon=True).start()
    root = f"http://127.0.0.1:{server.server_port}"
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    digest = hashlib.sha512((site / "envtest.tar.gz").read_bytes()).hexdigest()

    def publish(digest: str = digest) -> None:
        names = {
            version: f"envtest-{version}-{platform.system().lower()}-{machine}.tar.gz"
            for version in ("v1.9.0", "v1.36.1", "v1.37.0-beta.0")
        }
        index = {version: {name: {"hash": digest, "selfLink": f"{root}/envtest.tar.gz"}} for version, name in names.items()}
        (site / "index.yaml").write_text(json.dumps({"releases": index}))

    monkeypatch.setenv("FLEET_ENVTEST_INDEX", f"{root}/index.yaml")
    publish()
    yield publish
    server.shutdown()
    server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_newest_stable_release_is_downloaded_once(nothing_installed: None, release):
    said: list[str] = []
    for _ in range(2):
        found = binaries.engines(None, said.append)
    assert found.tier is Tier.REAL
    assert found.server.read_text() == "kube-apiserver"
    assert os.access(found.etcd, os.X_OK)
    assert found.server.parent.name == "envtest-v1.36.1"
    assert len(said) == 1


def test_download_with_the_wrong_hash_is_not_used(nothing_installed: None, release):
    release("0" * 128)
    with pytest.raises(EngineMissing, match="kube-apiserver is missing"):
        binaries.engines(Tier.REAL, lambda _: None)
    assert cache.reuse(binaries.ENVTEST_PREFIX) is None


def test_machine_without_anything_says_what_is_missing(nothing_installed: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FLEET_ENVTEST_INDEX", "http://127.0.0.1:1/")
    with pytest.raises(EngineMissing, match="KUBEBUILDER_ASSETS"):
        binaries.engines(None, lambda _: None)


@pytest.mark.parametrize(
    ("name", "tier"), [("kube-apiserver", Tier.REAL), ("apiextensions", Tier.SHADOW), (Tier.SHADOW.value, Tier.SHADOW)]
)
def test_tier_has_a_short_name(name: str, tier: Tier):
    assert binaries.tier_named(name) is tier
    with pytest.raises(ValueError, match="unknown tier"):
        binaries.tier_named(name + "x")


def test_daemon_outlives_its_starter_and_is_stopped_by_its_state(tmp_path: Path):
    script = (
        "import sys; from pathlib import Path; from tests.engines.daemons import Daemon; "
        "Daemon(Path(sys.argv[1]), 'sleeper').start([sys.executable, '-c', 'import time; print(1, flush=True); time.sleep(600)'], {}, tied=False)"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path], check=True, cwd=Path(__file__).parents[2])
    daemon = Daemon(tmp_path, "sleeper")
    assert daemon.pid()
    assert daemon.stop()
    assert daemon.pid() is None
    assert not daemon.stop()


def test_pid_that_now_belongs_to_somebody_else_is_left_alone(tmp_path: Path):
    daemon = Daemon(tmp_path, "other")
    daemon.pid_file.parent.mkdir(parents=True)
    daemon.pid_file.write_text(f"{os.getpid()} 1")
    assert daemon.pid() is None
    assert not daemon.stop()


def test_certificates_are_issued_once_and_only_for_their_owner(tmp_path: Path):
    certificates.issue_all(tmp_path / "pki")
    first = (tmp_path / "pki" / "ca.crt").read_bytes()
    certificates.issue_all(tmp_path / "pki")
    assert (tmp_path / "pki" / "ca.crt").read_bytes() == first
    assert {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "pki").glob("*.key")} == {"0o600"}
