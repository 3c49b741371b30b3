"""What buildah needs to know of a Dockerfile, and what can be told from what it prints."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

HOST = re.compile(r"(?:^|[\s=])((?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::\d+)?)/[\w./-]+(?::[\w.-]+)?@sha256:", re.MULTILINE)
STEP = re.compile(r"(?:\[\d+/\d+\] )?STEP (\d+/\d+): (.*)")


def hosts(text: str) -> set[str]:
    """The registries that a Dockerfile names things of by digest."""
    return set(HOST.findall(text))


def registries(hosts: Collection[str], plain: Collection[str]) -> str:
    """A registries.conf (containers-registries.conf(5)) without short names, and with plain HTTP for loopback and `plain`."""
    insecure = sorted(host for host in hosts if host in plain or is_loopback(host))
    sections = (f'\n[[registry]]\nlocation = "{host}"\ninsecure = true\n' for host in insecure)
    return "unqualified-search-registries = []\n" + "".join(sections)


def is_loopback(host: str) -> bool:
    name = re.sub(r":\d+$", "", host).strip("[]")
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class Redactor:
    """Keeps secrets out of what is printed."""

    def __init__(self, values: Collection[bytes]) -> None:
        texts = {
            part.strip() for value in values for part in (value.decode(errors="replace"), *value.decode(errors="replace").splitlines())
        }
        self._secrets = sorted((text for text in texts if len(text) > 3), key=len, reverse=True)

    def __call__(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, "(secret)")
        return line
