"""The start-up report: what this container is, kept on disk and posted until its observability centre has taken it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import random
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

_SBOM = "/opt/fleet/image-sbom.json"
_SPOOL = "/tmp/fleet-reports"  # noqa: S108 - the one place in a pod that can be written; nobody else is in it
_TOLD = ("FLEETWRIGHT_SERVICE", "FORCE_IMAGE_TAG", "GIT_SHA", "IMAGE_DIGEST", "IMAGE_TAG", "SPEC_DIGEST")
"""The only variables that are read into a report: an environment is full of secrets."""
_KEPT = 16
"""Reports that wait on disk at most, of earlier starts of the same pod; the oldest give way."""
_TIMEOUT, _LOOK = 10.0, 1.0
_FIRST, _CAP = 1.0, 300.0
"""Seconds of the first wait and of the longest; each is drawn from a tenth of it to the whole, so that a fleet does not call as one."""
_NEVER = frozenset({400, 409, 413, 415, 422})
"""Answers that the same bytes would get again (409: the centre has it): the report is given up."""


def described(environment: Mapping[str, str], sbom: Path, service: int) -> dict[str, Any]:
    """What this container is: the identity it was given, the SBOM in its image, process, host and versions."""
    return {
        "id": str(uuid.uuid4()),
        **{name.removeprefix("FLEETWRIGHT_").lower(): environment[name] for name in _TOLD if environment.get(name)},
        "sbom": _sbom(sbom),
        "pid": service,
        "host": socket.gethostname(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": {"python": platform.python_version(), "kernel": platform.release(), "system": _system()},
    }


def _sbom(path: Path) -> dict[str, Any] | None:
    """Digest of the file as it is and how many components it lists; None where the image has none that can be read."""
    try:
        data = path.read_bytes()
        return {"digest": f"sha256:{hashlib.sha256(data).hexdigest()}", "components": len(json.loads(data).get("components", []))}
    except (OSError, ValueError, AttributeError, TypeError):
        return None


def _system() -> str:
    with suppress(OSError):
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    return ""


class Spool:
    """Reports that wait, as files; where the disk takes none, in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._memory: dict[str, bytes] = {}
        self._gone: set[str] = set()

    def keep(self, name: str, body: bytes) -> None:
        """Keep a report whole or not at all: it is written under another name and moved."""
        half = self._folder / f".{name}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            half.write_bytes(body)
            half.rename(self._folder / f"{name}.json")
            for old in sorted(self._folder.glob("*.json"))[:-_KEPT]:
                old.unlink(missing_ok=True)
        except OSError:
            self._memory[name] = body

    def waiting(self) -> Iterator[tuple[str, bytes]]:
        """Reports by name, the oldest first."""
        for file in sorted(self._folder.glob("*.json")):
            with suppress(OSError):
                if file.stem not in self._gone:
                    yield file.stem, file.read_bytes()
        yield from tuple(self._memory.items())

    def drop(self, name: str) -> None:
        """Forget a report that was taken, or never will be."""
        self._memory.pop(name, None)
        self._gone.add(name)  # also where the file cannot be deleted any more
        with suppress(OSError):
            (self._folder / f"{name}.json").unlink(missing_ok=True)


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A report goes where the fleet says, nowhere else."""


def post(url: str, name: str, body: bytes) -> tuple[bool, float]:
    """Whether a report needs no other try, and for how many seconds its centre wants to be left alone."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": name}
    try:
        with build_opener(ProxyHandler({}), _NoRedirects).open(Request(url, body, headers), timeout=_TIMEOUT):  # noqa: S310 - see main
            return True, 0.0
    except HTTPError as answer:
        after = answer.headers.get("Retry-After", "")
        answer.close()
        return answer.code in _NEVER, min(float(after), _CAP) if after.isdecimal() else 0.0
    except (OSError, HTTPException, ValueError):
        return False, 0.0


def deliver(url: str, spool: Spool, alive: Callable[[], bool], sleep: Callable[[float], None] = time.sleep) -> bool:
    """Post what waits until nothing does, or the service has ended. Returns whether nothing waits any more."""
    wait = _FIRST
    while alive():
        asked = 0.0
        for name, body in spool.waiting():
            done, asked = post(url, name, body)
            if not done:
                break
            spool.drop(name)
        else:
            return True
        pause, wait = max(asked, random.uniform(wait / 10, wait)), min(wait * 2, _CAP)  # noqa: S311 - spreads calls, hides nothing
        while pause > 0 and alive():
            sleep(min(pause, _LOOK))
            pause -= _LOOK
    return False


def main(service: int) -> None:
    """Report for the process `service`, to FLEETWRIGHT_REPORT_URL; nothing happens where that is no address."""
    url = os.environ.get("FLEETWRIGHT_REPORT_URL", "")
    if urlsplit(url).scheme not in ("http", "https"):
        return
    spool = Spool(Path(os.environ.get("FLEETWRIGHT_SPOOL", _SPOOL)))
    report = described(os.environ, Path(os.environ.get("FLEETWRIGHT_SBOM", _SBOM)), service)
    spool.keep(f"{time.time_ns()}-{report['id']}", json.dumps(report).encode())
    if deliver(url, spool, Path(f"/proc/{service}").exists):
        print(f"fleet: the start-up report is with {urlsplit(url).hostname}", file=sys.stderr, flush=True)
