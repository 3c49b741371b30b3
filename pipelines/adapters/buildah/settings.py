"""What the caller decides about buildah."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

KEPT_ENVIRONMENT = ("PATH", "HOME", "XDG_RUNTIME_DIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "ftp_proxy", "all_proxy")


@dataclass(frozen=True, slots=True)
class Settings:
    """Where buildah keeps its things and what it may use; nothing of the user's own images is read or written."""

    root: Path
    """A folder for storage, state, cache mounts and scratch. Two processes may share it."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """The caller's environment. Only PATH, HOME, certificates and proxies of it reach buildah, and of those only proxies reach a step."""
    program: str = "buildah"
    driver: str = ""
    """Storage driver: `overlay` or `vfs`. Empty: what the storage has, else overlay where the kernel lets us, else vfs."""
    isolation: str = "chroot"
    """How steps are kept apart. `chroot` works in containers and without cgroups; `oci` needs crun or runc and a network plugin."""
    authfile: Path | None = None
    """Credentials for registries, in the format of docker and podman."""
    plain: frozenset[str] = frozenset()
    """Hosts that are spoken to over plain HTTP; loopback is anyway."""
    files: int = 16384
    """Open files of a step, at most; lower where this process may have fewer. Some programs close every possible one at start."""
    processes: int = 16384
    room: int = 1 << 30
    """Bytes of disk without which a build does not start."""

    def variables(self) -> dict[str, str]:
        """The environment of buildah. It lives shortly and holds little: collecting garbage less often saves a tenth of its time."""
        kept = {name: value for name, value in self.environment.items() if name in KEPT_ENVIRONMENT or name.lower() in PROXIES}
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return {"PATH": path, "HOME": str(self.root), "LC_ALL": "C.UTF-8", "GOGC": "400"} | kept | {"TMPDIR": str(self.root / "tmp")}
