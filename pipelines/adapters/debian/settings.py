"""What the caller decides about Debian's archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.model.debian import MIRROR, SECURITY

KEPT_ENVIRONMENT = ("PATH", "http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True, slots=True)
class Settings:
    """Where package lists and packages are kept, and where they come from."""

    root: Path
    """A folder; two processes may share it."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """The caller's environment; PATH and proxies of it are used."""
    mirror: str = MIRROR
    """Where packages are downloaded. It is no part of the base: the same packages are the same base."""
    security: str = SECURITY
    keyring: Path = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    """Who may sign the archive."""
    mode: str = "auto"
    """How mmdebstrap gets to be root of the new system: `root`, `unshare`, `fakechroot`, or what works."""
    room: int = 2 << 30
    """Bytes of disk without which a base is not begun."""

    def variables(self, source_date: int | None = None) -> dict[str, str]:
        """The environment of apt and mmdebstrap."""
        path = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        kept = {name: value for name, value in self.environment.items() if name in KEPT_ENVIRONMENT}
        fixed = {"LC_ALL": "C.UTF-8", "HOME": str(self.root), "TMPDIR": str(self.root / "tmp"), "DEBIAN_FRONTEND": "noninteractive"}
        return path | kept | fixed | ({} if source_date is None else {"SOURCE_DATE_EPOCH": str(source_date)})
