"""Which paths of a build are nobody's files: an engine's own, logs, caches, random identities. The list is part of the contract."""

from __future__ import annotations

import re

from pipelines.core.layer.entries import Entry, Kind

ENGINE = re.compile(r"(dev|proc|sys)/|run/secrets(/|$)|(etc/(resolv\.conf|hosts|hostname|mtab)|run/\.containerenv|\.dockerenv)$")
"""Put there by engines while a step runs; they put their own there again when a container runs."""
MOUNT_POINTS = re.compile(r"(dev|proc|run|sys)$")
"""Directories that engines make when a base lacks them; a base itself may have them."""
CACHES = re.compile(r"(var/lib/apt/lists|var/cache/apt)/|root/\.cache(/|$)|var/cache/ldconfig/aux-cache$")
IDENTITIES = re.compile(r"(etc|var/lib/dbus)/machine-id$")
"""Random, and the same in every container of the image: worse than none."""
LOGS = re.compile(r"var/log/")
BYTE_CODE = re.compile(r"(^|/)__pycache__/[^/]+\.pyc$")
"""Byte code outside of __pycache__ may have no source beside it, and then nothing compares times."""
CERTIFICATES = re.compile(r"etc/ssl/certs/[^/]+$")
AUTHORITIES = re.compile(r"usr/local/share/ca-certificates/")
"""Where engines lend a step the certificate authorities of their machine; what has the step note them leaves links, and the engine takes their targets away."""
XATTRS_OF_MACHINES = re.compile(r"trusted\.|security\.selinux$|user\.(overlay|fuseoverlayfs|containers)\.")
"""An overlay's own marks, and labels that the host's policy gives."""


def is_engines(path: str) -> bool:
    """Whether a path is an engine's: what a build does there is not seen, not even that it is gone."""
    return ENGINE.match(path) is not None


def is_left_out(path: str, entry: Entry) -> bool:
    """Whether what stands at a path never becomes part of an image. Directories and links of logs stay: services need them."""
    log = entry.kind is Kind.FILE and LOGS.match(path)
    return bool(is_engines(path) or CACHES.match(path) or IDENTITIES.match(path) or log)


def is_mount_point(path: str, entry: Entry) -> bool:
    """Whether a path is a directory that an engine may have made to mount its own there."""
    return entry.kind is Kind.DIRECTORY and MOUNT_POINTS.match(path) is not None


def timed_by(head: bytes) -> int | None:
    """The time of the source that byte code was made from, in seconds; None where it is checked by hash or not at all (PEP 552)."""
    if len(head) < 16 or int.from_bytes(head[4:8], "little"):
        return None
    return int.from_bytes(head[8:12], "little")
