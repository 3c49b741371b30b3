"""The distribution in an image, and what it has installed."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.core.audit.libraries import TUPLES
from pipelines.model.audit import Elf, System


def system(text: str, elves: Iterable[Elf]) -> System:
    """The system of an os-release file; its architecture is that of most ELF files."""
    said = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    values = {key: value.strip().strip("\"'") for key, value in said.items()}
    machines = [elf.machine[2] for elf in elves]
    architecture = TUPLES.get(max(set(machines), key=machines.count), ("", ""))[0] if machines else ""
    return System(values.get("ID", ""), values.get("VERSION_ID", ""), values.get("VERSION_CODENAME", ""), architecture)


def installed(status: str) -> frozenset[str]:
    """Installed packages of dpkg's status file, and what they stand in for."""
    found: set[str] = set()
    for block in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(" "))
        if "Package" in fields and fields.get("Status", "install ok installed").endswith(" installed"):
            found.add(fields["Package"])
            found.update(one.split("(")[0].strip() for one in fields.get("Provides", "").split(","))
    return frozenset(found)
