"""`fleet explain`: what a finding's code, a kind or a field means."""

from __future__ import annotations

import re
from pathlib import Path

import click

from reconciler.core.rules import read_rule
from reconciler.core.suggest import closest
from reconciler.kinds import KINDS
from reconciler.model.documents import FLEET_FILE
from reconciler.model.kind import Kind
from reconciler.shell.codes import codes
from reconciler.shell.exits import Exit
from reconciler.shell.fields import FLEET_KIND, document, walk
from reconciler.shell.opened import find_root
from reconciler.shell.refusal import Refusal
from reconciler.shell.report.explain_text import code_text, field_text, kind_text, rule_text, topics_text
from reconciler.shell.workspace import open_workspace

_CODE = re.compile(r"^[A-Za-z]{3}[0-9]{3}$")
_ALL = (*KINDS, FLEET_KIND)


@click.command(name="explain")
@click.argument("topic", required=False)
def command(topic: str | None) -> None:
    """Tell what TOPIC means: a finding's code, a kind, or a field of one. Needs no cluster; only rules of policy packs
    need the repository that has them.

    \b
    Examples: fleet explain DOC011
              fleet explain service
              fleet explain service.spec.health.http
    """
    click.echo(explained(topic) if topic else topics_text(_ALL, codes()), nl=False)


def explained(topic: str) -> str:
    """The explanation. Refuses what there is none of, with what was probably meant."""
    if _CODE.fullmatch(topic):
        return _code(topic.upper())
    name, *parts = topic.strip(".").split(".")
    kind = kind_named(name)
    if kind is None:
        raise _unknown(f"there is no kind or code {name!r}", closest(name, [*_names(), *codes()]), "`fleet explain` lists all")
    return _field(kind, parts) if parts else kind_text(kind, document(kind)["spec"])


def kind_named(name: str) -> Kind | None:
    """The kind that people mean by `Service`, `service`, `services`, `fleetservices` or `fsvc`."""
    return _names().get(name.lower().replace("-", "").replace("_", ""))


def _names() -> dict[str, Kind]:
    return {
        form.lower().replace("-", ""): kind
        for kind in _ALL
        for form in (kind.name, f"{kind.name}s", kind.folder, kind.plural, *kind.short_names)
        if form
    }


def _code(id: str) -> str:
    known = codes()
    if id not in known:
        if told := _rules(id):
            return told
        fix = "rules of a policy pack are known in its repository only; `fleet explain` lists all others"
        raise _unknown(f"there is no code {id}", next((code for code in known if code[:3] == id[:3]), None), fix)
    return code_text(known[id])


def _rules(id: str) -> str:
    """The rules of this code in the repository around us, if there is one: packs may replace each other's."""
    root = find_root(Path.cwd())
    if not (root / FLEET_FILE).is_file():
        return ""
    files = open_workspace(root).reading.tree.files
    found = [(path, read_rule(path, data, KINDS)[0]) for path, data in files.items() if path.endswith(f"/{id}.yaml")]
    return "\n".join(rule_text(path, judge) for path, judge in found if judge is not None)


def _field(kind: Kind, parts: list[str]) -> str:
    if parts in (["apiVersion"], ["kind"]):
        return (
            f"{kind.name}.{parts[0]}  must be given\n\nTakes     {'fleetwright.dev/v1alpha1' if parts[0] == 'apiVersion' else kind.name}\n"
        )
    sections = document(kind)
    section = parts[0] if parts[0] in sections else "spec"
    rest = parts[1:] if parts[0] in sections else parts
    path = ".".join((kind.name, section, *rest))
    if not rest:
        return kind_text(kind, sections[section])
    field, inside, lost = walk(sections[section], rest)
    if lost or field is None:
        known = [one.name for one in inside.fields()] if inside is not None else []
        where = ".".join((kind.name, section, *rest[: rest.index(lost)]))
        raise _unknown(f"{where} has no field {lost!r}", closest(lost, known), f"fleet explain {where}")
    return field_text(path, field)


def _unknown(message: str, near: str | None, otherwise: str) -> Refusal:
    return Refusal(message, f"did you mean {near}?" if near else otherwise, Exit.USAGE)
