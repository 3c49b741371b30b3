"""Explanations as text: of a code, a kind, a field."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

from reconciler.core.rules import Judge
from reconciler.model.findings import Code
from reconciler.model.kind import Kind
from reconciler.shell.fields import Field, Inside
from reconciler.shell.report.plan_escape import visible

_WIDTH = 100


def code_text(code: Code) -> str:
    """One code: what it means, why it is so, what to do."""
    return f"{code.id}  {code.severity}: {code.title}\n\n{_wrapped(code.about) or 'Its message says it all.'}\n"


def rule_text(path: str, judge: Judge) -> str:
    """One rule of a policy pack."""
    rule = judge.rule
    rows = {"Scope": rule.scope, "Holds if": rule.expression.strip(), "Fix": rule.fix, "File": path}
    lines = [f"{judge.code}  {rule.severity}: {rule.message}", "", *([_wrapped(rule.about), ""] if rule.about else [])]
    return "\n".join(map(visible, [*"\n".join(lines).split("\n"), *(f"{name:<9} {value}" for name, value in rows.items())])) + "\n"


def kind_text(kind: Kind, inside: Inside) -> str:
    """One kind: where its documents stand, and its fields."""
    if not kind.folder:
        head = [f"{kind.name}  {_first(inside.about)}", "", "File      fleet.yaml"]
    else:
        path = f"specs/{kind.folder}/{'TENANT/' if kind.scope == 'tenant' else ''}NAME.yaml"
        head = [f"{kind.name}  {_first(inside.about)}", "", f"File      {path}"]
    return "\n".join([*head, "", "Fields of spec, * must be given:", *_fields(inside.fields()), ""])


def field_text(path: str, field: Field) -> str:
    """One field, and those below it."""
    rows = {"Takes": field.takes, "Default": field.default, "Such as": ", ".join(field.examples)}
    about = field.about or (field.inside.about if field.inside is not None else "")
    lines = [f"{path}  {'must be given' if field.is_required else 'optional'}", "", *([_wrapped(about), ""] if about else [])]
    lines += [f"{name:<9} {value}" for name, value in rows.items() if value]
    if field.inside is not None:
        lines += ["", f"Fields{' of each' if field.is_keyed else ''}, * must be given:", *_fields(field.inside.fields())]
    return "\n".join(lines) + "\n"


def topics_text(kinds: Iterable[Kind], codes: Mapping[str, Code]) -> str:
    """What can be explained."""
    lines = ["Kinds:", *(f"  {kind.name}" for kind in kinds), "", "Codes:"]
    return "\n".join([*lines, *(f"  {code.id}  {code.severity:<8} {code.title}" for code in codes.values()), ""])


def _fields(fields: Iterable[Field]) -> Iterable[str]:
    for field in fields:
        default = f", default {field.default}" if field.default else ""
        yield f"{'*' if field.is_required else ' '} {field.name} <{field.takes}{default}>"
        if field.about:
            yield textwrap.indent(_wrapped(field.about, _WIDTH - 6), "      ")


def _first(text: str) -> str:
    return text.partition("\n")[0]


def _wrapped(text: str, width: int = _WIDTH) -> str:
    """Paragraphs to this width; indented lines are examples and stay as they are."""
    paragraphs = text.strip().split("\n\n")
    return "\n\n".join(paragraph if "\n  " in paragraph else textwrap.fill(paragraph, width) for paragraph in paragraphs)
