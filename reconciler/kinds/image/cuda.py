"""CUDA: which NVIDIA driver a CUDA runtime needs."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.kinds.image.spec import ImageSpec
from reconciler.model.fleet import Fleet
from reconciler.model.refs import Ref

DRIVERS: Mapping[str, str] = {
    "11.7": "515.43.04",
    "11.8": "520.61.05",
    "12.0": "525.60.13",
    "12.1": "530.30.02",
    "12.2": "535.54.03",
    "12.3": "545.23.06",
    "12.4": "550.54.14",
    "12.5": "555.42.02",
    "12.6": "560.28.03",
    "12.8": "570.26",
    "12.9": "575.51.03",
    "13.0": "580.65.06",
}
"""Lowest Linux driver of each CUDA toolkit's general release (NVIDIA, CUDA Toolkit Release Notes, "CUDA Toolkit and Corresponding
Driver Versions"). Minor-version compatibility would let some older drivers run it with features missing; this check does not count on it."""


def cuda_of(fleet: Fleet, image: str) -> str | None:
    """The CUDA runtime in an image: its own, or that of the nearest image it starts from."""
    seen: set[str] = set()
    name: str | None = image
    while name is not None and name not in seen:
        seen.add(name)
        resource = fleet.resources.get(Ref("Image", name))
        if resource is None or not isinstance(resource.spec, ImageSpec):
            return None
        if resource.spec.cuda is not None:
            return resource.spec.cuda
        name = resource.spec.from_.image
    return None


def driver_for(fleet: Fleet, image: str) -> str:
    """The lowest driver that an image runs on; empty without CUDA, or where nobody told us."""
    return DRIVERS.get(cuda_of(fleet, image) or "", "")


def older(driver: str, needed: str) -> bool:
    """Whether a driver's version comes before another."""
    return tuple(map(int, driver.split("."))) < tuple(map(int, needed.split(".")))
