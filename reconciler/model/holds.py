"""Holds, and what a workload needs of a machine: read by kinds, judged by resolve."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

from reconciler.model.refs import Ref
from reconciler.model.spec import Bool, Date, Spec, Tag, Text
from reconciler.model.value import dataclass


class Hold(Spec):
    """Pins a service to an image tag until somebody releases it. Past `until` it stays, and warns."""

    tag: Tag
    """One of the lock's gated builds of this image."""
    reason: Text | None = None
    """Why, for whoever reads the plan."""
    by: Text | None = None
    """Who set it."""
    until: Date | None = None
    """When it should have been released; past it a warning appears, the hold stays."""
    environments: tuple[str, ...] = ()
    """Environments it holds in; empty means all."""
    unsafe: Bool = False
    """Allows a tag that never passed the gate. Shown wherever the hold is shown."""

    def holds_in(self, environment: str) -> bool:
        """Whether this hold counts in the environment of that name."""
        return not self.environments or environment in self.environments


HoldField = Annotated[
    Hold, BeforeValidator(lambda value: {"tag": value} if isinstance(value, str) else value, json_schema_input_type=Hold | Tag)
]
"""A hold, or just its tag."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a workload asks of the machine it goes to. CPU in millicores, memory in bytes, per replica."""

    machine: str
    cpu: int
    memory: int
    gpu_memory: int = 0
    replicas: int = 1
    driver: str = ""
    """The lowest NVIDIA driver that its image runs on; empty without CUDA."""


@dataclass(frozen=True, slots=True)
class ImageUse:
    """Which image a workload runs, and the hold on it."""

    image: Ref
    hold: Hold | None
    pointer: tuple[str | int, ...] = ("spec", "image")
    falls_back: bool = False
    """Whether a build of it that does not become healthy is put back."""


def as_hold(value: Any) -> Hold:
    """A hold from what a spec or a one-off says: a tag or a mapping."""
    return Hold.model_validate({"tag": value} if isinstance(value, str) else value)
