"""A bare repository of ours: no work tree, no hooks, no settings but these, nothing fetched unless it is asked for."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from reconciler.adapters.git.address import Address
from reconciler.adapters.git.child import Bounds, Output, run
from reconciler.adapters.git.credentials import Credentials
from reconciler.adapters.git.process import READ_SECONDS
from reconciler.core import paths

REMOTE = "origin"
BLOBLESS = "blob:none"

_READ_MOST = paths.MAX_TOTAL + (64 << 20)
_KEPT = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", *(
    name for proxy in ("https_proxy", "all_proxy", "no_proxy") for name in (proxy, proxy.upper())
))  # fmt: skip
"""All of our own environment that git sees: no settings, no tracing, no agents."""
_ALONE = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
}
_SETTINGS = (
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.bigFileThreshold", "16m"),  # larger blobs go to the disk in a stream, never through memory
    ("core.packedGitWindowSize", "32m"),
    ("core.packedGitLimit", "256m"),
    ("pack.threads", "1"),
    ("pack.windowMemory", "64m"),
    ("credential.helper", ""),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("fetch.unpackLimit", "1"),  # packs alone: a handful of files whatever is fetched
    ("fetch.recurseSubmodules", "false"),
    ("transfer.fsckObjects", "true"),
    # Odd, harmless, and in the history of many old repositories. Long paths are refused one by one.
    *((f"fetch.fsck.{name}", "ignore") for name in ("zeroPaddedFilemode", "badTimezone", "missingSpaceBeforeDate", "largePathname")),
    ("http.followRedirects", "false"),
    ("protocol.version", "2"),
    ("log.showSignature", "false"),
)


class Bare:
    """Git in one bare repository. `bounds` hold for all that is run."""

    def __init__(self, folder: Path, bounds: Bounds | None = None) -> None:
        self.folder = folder
        self._bounds = bounds

    def read(self, *arguments: str, stdin: bytes = b"", most: int = _READ_MOST) -> bytes:
        """What a command prints that reads what is here, and never the network. Raises as `child.run` does."""
        environment = self._environment(_SETTINGS) | {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}
        return self._run(arguments, environment, stdin, most).printed

    def check(self, *arguments: str, settings: Iterable[tuple[str, str]], environment: Mapping[str, str]) -> None:
        """As `read`, with settings of its own: for signatures."""
        self._run(arguments, {**self._environment((*_SETTINGS, *settings)), **environment}, b"", 1 << 20)

    def reach(self, address: Address, given: Credentials, *arguments: str, narrow: str, stdin: bytes = b"") -> str:
        """What a command says that may use the network: this one address alone. `narrow` says which blobs stay there; empty for none."""
        settings = [*_SETTINGS, *given.settings, (f"remote.{REMOTE}.url", address.url)]
        if narrow:
            settings += [(f"remote.{REMOTE}.promisor", "true"), (f"remote.{REMOTE}.partialCloneFilter", narrow)]
        environment = {**self._environment(settings), **given.environment, "GIT_ALLOW_PROTOCOL": address.scheme}
        return self._run(arguments, environment, stdin, 1 << 20).said.decode(errors="replace")

    def _run(self, arguments: Iterable[str], environment: Mapping[str, str], stdin: bytes, most: int) -> Output:
        bounds = self._bounds or Bounds(time.monotonic() + READ_SECONDS)
        return run(["git", "--no-pager", *arguments], environment, bounds, stdin=stdin, most=most)

    def _environment(self, settings: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Settings travel by the environment (git-config, ENVIRONMENT): what is in argv, everybody on the machine reads."""
        pairs = list(settings)
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | _ALONE
        environment |= {"GIT_DIR": str(self.folder), "HOME": str(self.folder), "GIT_CONFIG_COUNT": str(len(pairs))}
        for place, (key, value) in enumerate(pairs):
            environment |= {f"GIT_CONFIG_KEY_{place}": key, f"GIT_CONFIG_VALUE_{place}": value}
        return environment
