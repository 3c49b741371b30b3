"""The reference page of custom resources."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.crds import CATEGORY, columns, crd_name
from reconciler.core.structural import structural
from reconciler.kinds import KINDS
from reconciler.model.projection import Reason, Standing

_ABOUT = f"""\
Every spec has a custom resource in the clusters where an operator runs: `kubectl get {CATEGORY}` lists all of them. They are a projection:
git alone says what is wanted, edits of `spec` are undone, and deleting one deletes nothing else. `spec` is the spec as it is written, with
the environment's values filled in; defaults are told in descriptions and not filled in.

`fleet operator manifests --only crds` prints the definitions."""
_CONDITIONS = """\
Ready tells all, and is always there; the first reason that applies, in the order below, is Ready's. The other conditions appear when they
are first True, and stay as False with the reason `Not...` once they no longer are: where one is missing, it was never True. `kubectl wait
--for=condition=Ready fleetservice/NAME` waits for the generation that it sees; tools that go by `kstatus` (such as Flux) take
Stalled for a failure and Ready for the rest.

`revision`, `lastChange` and `history` tell the commits that changed this resource, not the newest commit; `image` and `digest` tell what was
applied last, which is not what git asks for while the resource waits for something."""
_BEYOND = """\
`fleet lint` checks more than a server can. These it leaves to lint:

- Keys of maps inside other maps or lists, and of maps whose values have no one type (`env`, `arguments`, `aliases`): their form and length.
- `forceImageTag` and `aliases` may be text or a mapping: inside the mapping unknown fields are kept, and rules among fields are not checked.
- Whether values make sense together where that takes more than their presence: time limits against each other, blocks of addresses inside
  each other, a volume of no size, a variable that is `null`.
- Everything that takes another spec, a file or the environment: links, holds, placement, policy.

Servers refuse what lint takes in two places: an amount of memory that is a fraction without a unit (`1.5` bytes), and more than 10,000
entries of a map that has rules inside, such as `tools`."""


def crds_lines() -> Iterator[str]:
    """The page below its title."""
    yield from (_ABOUT, "", "| kind | definition | scope | short names |", "| --- | --- | --- | --- |")
    for kind in KINDS:
        scope = "the tenant's namespace" if kind.scope == "tenant" else "cluster"
        yield f"| {kind.name} | `{crd_name(kind)}` | {scope} | {', '.join(f'`{name}`' for name in kind.short_names)} |"
    yield from ("", "## Columns", "", "Columns in brackets are shown with `-o wide`.", "", "| kind | columns |", "| --- | --- |")
    for kind in KINDS:
        yield f"| {kind.name} | {', '.join(f'({one.name})' if one.wide else one.name for one in columns(kind))} |"
    yield from ("", "## Status", "", "An operator writes it, and only when it changes.", "", "| field | what |", "| --- | --- |")
    yield from _fields(structural(Standing)["properties"], "")
    yield from (
        "",
        "## Conditions and their reasons",
        "",
        _CONDITIONS,
        "",
        "| reason | Ready | besides | what |",
        "| --- | --- | --- | --- |",
    )
    for reason in Reason:
        yield f"| `{reason}` | {reason.ready} | {f'{reason.marks} is True' if reason.marks else ''} | {reason.about} |"
    yield from ("", "## What a server does not check", "", _BEYOND)


def _fields(properties: dict[str, dict[str, object]], above: str) -> Iterator[str]:
    for name, field in properties.items():
        yield f"| `{above}{name}` | {str(field.get('description', '')).replace('|', '/')} |"
        inner = field.get("items", field)
        if isinstance(inner, dict) and isinstance(inner.get("properties"), dict) and name != "history":
            yield from _fields(inner["properties"], f"{above}{name}.")
