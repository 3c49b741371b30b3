"""A desk for the operator's trial: a repository served from this machine, a clone of it to work in, and an operator that follows it."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

from tests.engines.cluster import ROOT, Cluster, Say, free_ports
from tests.engines.daemons import Daemon

DAEMON = "operator"
SECONDS = 180.0
"""In which the operator has applied its first commit, on a slow machine, too."""
LOCK = ".fleet/trial.lock"

_HOOK = """\
    #!{python}
    # Wakes the operator, as a webhook of GitHub would. It follows the branch by itself, too: this only saves the wait.
    import hashlib, hmac, json, pathlib, sys, urllib.request, uuid
    pushed = [line.split() for line in sys.stdin]
    body = json.dumps([{{"before": before, "after": after, "ref": ref}} for before, after, ref in pushed]).encode()
    secret = pathlib.Path({secret!r}).read_bytes().strip()
    headers = {{
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest(),
    }}
    try:
        urllib.request.urlopen(urllib.request.Request({url!r}, body, headers), timeout=2).close()
    except OSError as fault:
        print("the operator was not woken:", fault)
    """


class DeskFailed(Exception):
    """It did not come up; the message says where to look."""


def up(cluster: Cluster, lock: Path, say: Say) -> Path:
    """Makes what is missing, starts the operator, and waits until it has applied the first commit. The folder to work in."""
    upstream, desk, hooks = cluster.state / "upstream.git", cluster.state / "desk", cluster.state / "hooks"
    port = _port(cluster.state)
    if not desk.exists():
        _repositories(upstream, desk, cluster.state, lock)
    secret = hooks / "github"
    if not secret.exists():
        hooks.mkdir(exist_ok=True)
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_hex(32))
    hook = upstream / "hooks" / "post-receive"
    url = f"http://127.0.0.1:{port}/hooks/github"
    hook.write_text(textwrap.dedent(_HOOK).format(python=sys.executable, secret=str(secret), url=url))
    hook.chmod(0o755)
    fleet = Path(sys.executable).with_name("fleet")
    done = subprocess.run([fleet, "operator", "install", "--env", "trial", "--yes"], cwd=desk, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DeskFailed(f"the operator's definitions and rights could not be installed: {done.stderr.strip()}")
    daemon = Daemon(cluster.state, DAEMON)
    if daemon.pid() is None:
        command = [fleet, "operator", "run", "--env", "trial", "--git", f"file://{upstream}", "--trial-git"]
        command += ["--listen", f"127.0.0.1:{port}", "--hook-secrets", hooks, "--logs", "text", "--repo", desk]
        daemon.start(command, {}, tied=False)
    _await_first_run(daemon, fleet, desk, say)
    return desk


def _repositories(upstream: Path, desk: Path, state: Path, lock: Path) -> None:
    """What is committed here, on a branch `main`, with the trial's lock beside it; git keeps that one out of the real repository."""
    _git(state, "clone", "--quiet", "--bare", "--no-hardlinks", str(ROOT), str(upstream))
    _git(upstream, "branch", "--force", "main", "HEAD")
    _git(upstream, "symbolic-ref", "HEAD", "refs/heads/main")
    _git(state, "clone", "--quiet", "--branch", "main", str(upstream), str(desk))
    (desk / ".fleet").mkdir(exist_ok=True)
    (desk / ".fleet" / "trial").symlink_to(state, target_is_directory=True)
    shutil.copyfile(lock, desk / LOCK)
    for name, value in (("user.name", "A trial"), ("user.email", "trial@localhost")):
        _git(desk, "config", name, value)
    _git(desk, "add", "--force", LOCK)
    _git(desk, "commit", "--quiet", "-m", "The builds of the trial")
    _git(desk, "push", "--quiet", "origin", "main")


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _port(state: Path) -> int:
    file = state / "operator.port"
    if not file.exists():
        file.write_text(str(free_ports((DAEMON,))[DAEMON]))
    return int(file.read_text())


def _await_first_run(daemon: Daemon, fleet: Path, desk: Path, say: Say) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        done = subprocess.run([fleet, "runs", "--env", "trial", "-o", "json"], cwd=desk, capture_output=True, text=True, check=False)
        told: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
        if any(run["ended"] for run in told.get("runs", ())):
            return
        if daemon.pid() is None or time.monotonic() > deadline:
            say(daemon.last_words())
            raise DeskFailed(f"the operator has applied nothing; see {daemon.log}")
        time.sleep(0.3)
