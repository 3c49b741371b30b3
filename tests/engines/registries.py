"""A registry for tests: Debian's docker-registry, installed or from the cache, on a port of its own."""

import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.engines import cache, debian
from tests.engines.binaries import Say
from tests.engines.cache import EngineMissing
from tests.engines.daemons import Daemon

PROGRAM = "docker-registry"
PREFIX = "docker-registry-"
START_SECONDS = 15.0
CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {root}}}
  delete: {{enabled: true}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


def program(say: Say) -> Path:
    """The registry that is installed; else the one of Debian, from the cache. Raises EngineMissing."""
    if installed := shutil.which(PROGRAM):
        return Path(installed)
    return (cache.reuse(PREFIX) or cache.make(PREFIX, lambda into: fetch(into, say))) / PROGRAM


def fetch(into: Path, say: Say) -> str:
    """Fills `into` with the registry of this machine's Debian release, without installing it (that would start a service); its version."""
    with tempfile.TemporaryDirectory(prefix="debian-", dir=into.parent) as scratch:
        work = Path(scratch)
        say("fetching docker-registry from Debian packages, once: some seconds")
        debian.run(["apt-get", *debian.private_apt(work, debian.release()), "-q", "download", PROGRAM], work)
        archive = next(work.glob("*.deb"))
        version = debian.run(["dpkg-deb", "-f", archive, "Version"], work).strip()
        debian.run(["dpkg-deb", "-x", archive, work / "root"], work)
        shutil.copy2(work / "root/usr/bin" / PROGRAM, into / PROGRAM)
    cache.seal(into, version=version)
    return version


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(state: Path, say: Say = lambda _: None, more: str = "") -> tuple[Daemon, str]:
    """The process, which dies with this one, and its host: `127.0.0.1:5000`. `more` ends its configuration. Raises EngineMissing."""
    port = free_port()
    state.mkdir(parents=True, exist_ok=True)
    (state / "config.yaml").write_text(CONFIG.format(root=state / "data", port=port) + more)
    daemon = Daemon(state, "registry")
    daemon.start([program(say), "serve", state / "config.yaml"], {"OTEL_TRACES_EXPORTER": "none"}, tied=True)
    deadline = time.monotonic() + START_SECONDS
    while not answers(port):
        if not daemon.pid() or time.monotonic() > deadline:
            raise EngineMissing(f"docker-registry does not start: {daemon.last_words()}")
        time.sleep(0.02)
    return daemon, f"127.0.0.1:{port}"


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=2) as answer:
            return answer.status == 200
    except urllib.error.HTTPError as refused:
        return refused.code == 401
    except (urllib.error.URLError, OSError):
        return False


def version() -> str:
    """The version of the registry, for people."""
    done = subprocess.run([program(lambda _: None), "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]
