"""A kind: one record of a spec type and the pure functions that know it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

from reconciler.model.findings import Code, Finding
from reconciler.model.fleet import Fleet
from reconciler.model.graph import Graph
from reconciler.model.holds import ImageUse, Needs
from reconciler.model.manifests import Draft
from reconciler.model.refs import Link, Ref
from reconciler.model.rights import Right
from reconciler.model.spec import Spec
from reconciler.model.value import dataclass


@dataclass(frozen=True, slots=True)
class Scene:
    """What a check may see besides its resource: the fleet, and how names resolve."""

    fleet: Fleet
    links: Callable[[Ref], Iterable[tuple[Link, Ref]]]
    """A resource's links that resolve, each with what it resolves to."""
    backlinks: Callable[[Ref], Iterable[Ref]]
    files: frozenset[str]
    """Every path of the source."""
    contents: Callable[[str], bytes | None]
    """Bytes of a file of the source by its path."""


class Column(NamedTuple):
    """A column of `kubectl get`: its name, and where it is found in a custom resource (a JSONPath of the API server)."""

    name: str
    path: str
    about: str
    type: Literal["string", "integer", "number", "boolean", "date"] = "string"
    wide: bool = False
    """Only with `-o wide`."""


def _nothing(*_: Any) -> tuple[()]:
    return ()


def _none(*_: Any) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. The spec's type is `Any` in the callables: a table of kinds cannot be typed by row."""

    name: str
    """As documents say it: `ToolCatalog`."""
    folder: str
    """Below `specs/`: `tool-catalogs`."""
    scope: Literal["fleet", "tenant"]
    """`tenant`: the file stands in a folder of its tenant."""
    spec: type[Spec]
    plural: str
    """Of its custom resource: `fleettoolcatalogs`."""
    short_names: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    """What `kubectl get` shows beyond what it shows of every kind."""
    codes: tuple[Code, ...] = ()
    links: Callable[[Any], Iterable[Link]] = _nothing
    """(resource) -> every mention of another spec."""
    checks: Callable[[Any, Scene], Iterable[Finding]] = _nothing
    """(resource, scene) -> findings that need no environment."""
    together: Callable[[Iterable[Any], Scene], Iterable[Finding]] = _nothing
    """(all resources of the kind, scene) -> findings that only show among several, such as a host that two services claim."""
    render: Callable[[Any, Graph], Iterable[Draft]] = _nothing
    """(resource, graph) -> the objects it stands for."""
    needs: Callable[[Any, Fleet], Needs | None] = _none
    """(resource, fleet) -> what it asks of a machine, or None when it runs nowhere by itself."""
    image: Callable[[Any], ImageUse | None] = _none
    """(resource) -> the image it runs, or None."""
    roles: tuple[tuple[str, tuple[Right, ...]], ...] = ()
    """Roles among the objects that it renders: name and what it grants, the same for every resource of the kind."""
    content: Callable[[Any, Graph], Any] = _none
    """(resource, graph) -> a JSON value of everything of its own that reaches a builder; None where nothing is built."""
