"""Whether machines suit images: the CUDA inside needs a driver that is new enough."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.shell.matter import Matter
from reconciler.kinds.image.cuda import cuda_of, driver_for, older
from reconciler.shell.exits import Exit
from reconciler.shell.refusal import Refusal


def refuse_unsuited(found: Matter, names: Iterable[str], machines: Iterable[str]) -> None:
    """Refuses a machine that nobody knows, and one whose driver is too old for an image or that has no GPU for its CUDA."""
    fleet = found.graph.fleet
    known = {**(fleet.spec.machines if fleet.spec else {}), **found.where.machines}
    for machine in machines:
        if machine not in known:
            raise Refusal(f"there is no machine {machine}", f"there is {', '.join(sorted(known))}", Exit.USAGE)
        gpu = known[machine].gpu
        for name in names:
            needed = driver_for(fleet, name)
            cuda = cuda_of(fleet, name)
            if not cuda:
                continue
            if gpu is None:
                raise Refusal(f"{name} has CUDA {cuda} inside, and {machine} has no GPU", "take it out of `machines`", Exit.FINDINGS)
            if needed and older(gpu.driver, needed):
                raise Refusal(
                    f"{name} has CUDA {cuda} inside, which needs a driver from {needed} on, and {machine} has {gpu.driver}",
                    "update the driver and fleet.yaml, or start from an older CUDA",
                    Exit.FINDINGS,
                )
