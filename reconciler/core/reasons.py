"""Reasons: why a step is in the plan, in words that a reviewer can check."""

from __future__ import annotations

from reconciler.core.notes import told
from reconciler.core.ownership import owners
from reconciler.model.graph import Graph, Held, Locked, Unverified
from reconciler.model.manifests import MANAGER, SOURCE_ANNOTATION, Manifest, Observed
from reconciler.model.plan import Change

_DRIFT = "it is not as it was applied: changed by {}"


def reasons(
    graph: Graph, manifest: Manifest, live: Observed | None, changed: tuple[Change, ...], hands: tuple[str, ...]
) -> tuple[str, ...]:
    """Why `manifest` is written: new, another image, an edited spec, or somebody's hand."""
    path = manifest.body["metadata"]["annotations"][SOURCE_ANNOTATION]
    if live is None:
        return (f"{path} declares it, and it is not there",)
    found = []
    hands = tuple(sorted({*hands, *_rivals(live, changed)}))
    if any(change.path.endswith("/image") for change in changed):
        found.append(_image(graph, manifest))
    if hands:
        found.append(_DRIFT.format(", ".join(hands)))
    if not found:
        found.append(f"{path} asks for it")
    return tuple(found)


def _rivals(live: Observed, changed: tuple[Change, ...]) -> frozenset[str]:
    """Who took a field from us: it is theirs now, and what is desired differs."""
    found = [owners(live.body, change.path) for change in changed]
    return frozenset(name for names in found if names and MANAGER not in names for name in names)


def _image(graph: Graph, manifest: Manifest) -> str:
    match graph.choices.get(manifest.owner):
        case Held(build=build, hold=hold, put_back=True):
            return f"{build.tag} is put back{told(hold)}"
        case Held(hold=hold) | Unverified(hold=hold) if hold is not None:
            return f"forceImageTag{told(hold)}"
        case Locked(build=build):
            return f"{graph.environment.lock} names {build.tag}"
        case _:
            return f"{manifest.owner} runs another image"
