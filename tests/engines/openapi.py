"""OpenAPI v3 documents of the custom resources behind the proxy: what kubectl asks before it writes, and what `kubectl explain` shows."""

from collections.abc import Iterable
from typing import Any

Body = dict[str, Any]
PARAMETERS = [
    {"name": name, "in": "query", "schema": {"type": "string"}} for name in ("dryRun", "fieldManager", "fieldValidation", "force")
]


def key(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def index(versions: Iterable[tuple[str, str]]) -> Body:
    """The index of all documents, /openapi/v3."""
    return {"paths": {key(*one): {"serverRelativeURL": f"/openapi/v3/{key(*one)}"} for one in sorted(set(versions))}}


def document(group: str, version: str, specs: Iterable[Body]) -> Body:
    """The document of one group and version; each spec is a definition's, with outside names."""
    paths: Body = {}
    schemas: Body = {}
    for spec in specs:
        names, found = spec["names"], next(one for one in spec["versions"] if one["name"] == version)
        kind = {"group": group, "version": version, "kind": names["kind"]}
        root = f"/{key(group, version)}" + ("/namespaces/{namespace}" if spec["scope"] == "Namespaced" else "")
        for path, actions in ((names["plural"], {"post": "post"}), (f"{names['plural']}/{{name}}", {"patch": "patch", "put": "put"})):
            paths[f"{root}/{path}"] = {
                verb: {"parameters": PARAMETERS, "responses": {"200": {"description": "OK"}}, "x-kubernetes-action": action,
                       "x-kubernetes-group-version-kind": kind} for verb, action in actions.items()
            }  # fmt: skip
        schemas[f"{names['kind']}.{version}"] = {**found["schema"]["openAPIV3Schema"], "x-kubernetes-group-version-kind": [kind]}
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "shadow"}, "paths": paths, "components": {"schemas": schemas}}
