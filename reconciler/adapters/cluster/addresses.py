"""Addresses of objects and of lists of them (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, urlencode

from reconciler.core.crds import shapes
from reconciler.kinds import KINDS
from reconciler.model.manifests import INSTALLED, SHAPES, ObjectId, Shape

_LEASE = {("coordination.k8s.io", "Lease"): Shape("v1", "leases")}
_SERVED = {**SHAPES, **INSTALLED, **_LEASE, **shapes(KINDS)}


class Kind(NamedTuple):
    """A kind and how it is addressed."""

    group: str
    kind: str
    shape: Shape

    @property
    def version(self) -> str:
        """`apiVersion` of its objects."""
        return f"{self.group}/{self.shape.version}" if self.group else self.shape.version

    @property
    def path(self) -> str:
        """Where all of its objects are listed."""
        return f"{'/apis' if self.group else '/api'}/{self.version}/{self.shape.plural}"


def known(kinds: Iterable[tuple[str, str]]) -> tuple[Kind, ...]:
    """Those of these kinds that have an address."""
    return tuple(Kind(*kind, _SERVED[kind]) for kind in dict.fromkeys(kinds) if kind in _SERVED)


def object_path(id: ObjectId, version: str | None = None) -> str:
    """Where one object is, in the given `apiVersion` or in that of SHAPES."""
    return f"{collection_path(id, version)}/{quote(id.name, safe='')}"


def collection_path(id: ObjectId, version: str | None = None) -> str:
    """Where objects like this one are created."""
    shape = _SERVED[id[:2]]
    if version is None:
        version = f"{id.group}/{shape.version}" if id.group else shape.version
    root = f"{'/apis' if id.group else '/api'}/{version}"
    return f"{root}/namespaces/{quote(id.namespace, safe='')}/{shape.plural}" if shape.namespaced else f"{root}/{shape.plural}"


@lru_cache(maxsize=64)
def query(**values: str | int | None) -> str:
    """A query string without what is None."""
    return "?" + urlencode({name: value for name, value in values.items() if value is not None})


def selector(labels: Mapping[str, str]) -> str | None:
    """A label selector for all of these labels."""
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items())) or None
