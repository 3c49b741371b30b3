"""Rules as they are read: each file validated, compiled, bounded, and tried on its own cases; or what is wrong with it, by line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from reconciler.core.cel.engine import Expression, Fault, Flaw, Unjudged, activation, compiled
from reconciler.core.cel.fields import Record, unknown_keys
from reconciler.core.cel.tree import Ident, Node, Select, walk
from reconciler.core.codes import rules as codes
from reconciler.core.load import load
from reconciler.core.suggest import did_you_mean
from reconciler.core.validate import validate
from reconciler.core.view import blank, describe
from reconciler.kinds.policy_pack.rules import PLACEHOLDERS, Case, Rule
from reconciler.model.documents import Document
from reconciler.model.findings import Code, Finding, Place, Pointer, Severity
from reconciler.model.kind import Kind
from reconciler.model.refs import Ref

_FLAWS = {Flaw.SYNTAX: codes.SYNTAX, Flaw.FIELD: codes.FIELD, Flaw.COST: codes.COSTLY}
_CODE = re.compile(r"^[A-Z]{3}[1-9][0-9]{2}$")
_TODAY = "2026-01-01"
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


class Judge(NamedTuple):
    """A rule that can be asked."""

    code: str
    rule: Rule
    expression: Expression
    pointer: Pointer
    """The field of a spec that its findings point at."""

    @property
    def severity(self) -> Severity:
        """Where no pack blocks it."""
        return Severity(self.rule.severity)


def is_rule(path: str, folder: str) -> bool:
    """Whether a file is a rule of a folder."""
    return path.endswith(".yaml") and path.rpartition("/")[0] == folder


@lru_cache(maxsize=4096)
def read_rule(path: str, data: bytes, kinds: tuple[Kind, ...]) -> tuple[Judge | None, tuple[Finding, ...]]:
    """The rule of a file, and what is wrong with it. A rule with an error judges nothing."""
    code = path.rpartition("/")[2].removesuffix(".yaml")
    ref = Ref("Rule", code)
    loaded = load(path, data, ref)
    document = Document(ref, path, loaded.value if isinstance(loaded.value, dict) else {}, loaded.marks)
    findings = [*loaded.findings]
    if not _CODE.match(code) or int(code[3:]) <= 100:
        findings.append(codes.NAME.at(Place(path), f"{code!r} is not a code", "name the file by a code such as SVC101.yaml", ref))
    if findings:
        return None, tuple(findings)
    rule, wrong = validate(Rule, document.value, document, ())
    if rule is None:
        return None, wrong
    judge = _compiled(code, rule, _Source(document, data.decode()), {kind.name: kind for kind in kinds})
    return (judge, ()) if isinstance(judge, Judge) else (None, judge)


class _Source(NamedTuple):
    document: Document
    text: str

    def at(self, code: Code, pointer: Pointer, message: str, fix: str) -> Finding:
        return code.at(self.document.place(pointer), message, fix, self.document.ref)

    def within(self, expression: str, fault: Fault) -> Finding:
        """A finding at a line and column of the expression, wherever YAML has put it."""
        place = self.document.place(("expression",))
        at = _located(self.text, place, expression, fault.line, fault.column)
        return _FLAWS[fault.flaw].at(Place(place.path, *at, place.pointer), fault.message, fault.fix, self.document.ref)


def _located(text: str, place: Place, expression: str, line: int, column: int) -> tuple[int, int]:
    """Where a line and column of a scalar stand in the file. Folded or escaped text is found by its beginning only."""
    lines = text.split("\n")
    first = lines[place.line - 1][place.column - 1 :] if place.line <= len(lines) else ""
    wanted = expression.rstrip("\n").split("\n")
    if first[:1] in "|>":
        block = lines[place.line : place.line + len(wanted)]
        if [found.strip() for found in block] == [part.strip() for part in wanted]:
            indent = len(block[line - 1]) - len(block[line - 1].lstrip()) - (len(wanted[line - 1]) - len(wanted[line - 1].lstrip()))
            return place.line + line, indent + column
        return place.line + 1, 1 + len(lines[place.line]) - len(lines[place.line].lstrip()) if place.line < len(lines) else 1
    quote = 1 if first[:1] in ("'", '"') else 0
    return (place.line, place.column + quote + column - 1) if first[quote:].startswith(wanted[0]) else (place.line, place.column)


def _compiled(code: str, rule: Rule, source: _Source, kinds: Mapping[str, Kind]) -> Judge | tuple[Finding, ...]:
    if rule.scope not in kinds:
        return (source.at(codes.SCOPE, ("scope",), f"{rule.scope!r} is no kind", did_you_mean(rule.scope, kinds)),)
    findings = [*_placeholders(rule, source)]
    variables = describe(kinds[rule.scope], kinds.values())
    findings += _case_fields(source, variables)
    expression = compiled(rule.expression, variables)
    if not isinstance(expression, Expression):
        return (*findings, *(source.within(rule.expression, fault) for fault in expression))
    if not findings:
        findings += _tried(rule, expression, source, kinds)
    return tuple(findings) or Judge(code, rule, expression, _pointer(expression))


def _placeholders(rule: Rule, source: _Source) -> Iterator[Finding]:
    for name in _PLACEHOLDER.findall(rule.message):
        if name not in PLACEHOLDERS:
            yield source.at(codes.PLACEHOLDER, ("message",), f"there is no `{{{name}}}`", did_you_mean(name, PLACEHOLDERS))


def _case_fields(source: _Source, variables: Mapping[str, Any]) -> Iterator[Finding]:
    for which in ("good", "bad"):
        given = source.document.value["cases"][which]
        whole = isinstance(given, dict) and "spec" in given
        case = given if whole else {"spec": given}
        known = {
            "spec": variables["object"].fields["spec"],
            **{name: variables[name] for name in ("linked", "placement", "tenant", "policy")},
        }
        judged = {key: value for key, value in case.items() if key in known}
        for pointer, fix in unknown_keys(judged, Record(known)):
            at = pointer if whole else pointer[1:]
            place = source.document.key_place(("cases", which, *at))
            yield codes.FIELD.at(place, f"there is no field `{pointer[-1]}` here", fix, source.document.ref)


def _tried(rule: Rule, expression: Expression, source: _Source, kinds: Mapping[str, Kind]) -> Iterator[Finding]:
    for which, case, code, wanted in (("good", rule.cases.good, codes.GOOD, True), ("bad", rule.cases.bad, codes.BAD, False)):
        try:
            holds = expression.holds(activation(case_values(case, kinds.values())))
        except Unjudged as problem:
            fix = "ask `has(...)` before a field that may be absent, or complete the case"
            yield source.at(code, ("cases", which), f"the {which} case cannot be judged: {problem}", fix)
            continue
        if holds is not wanted:
            message = f"the rule {'holds' if holds else 'does not hold'} for its {which} case"
            yield source.at(code, ("cases", which), message, "correct the expression, or the case")


def case_values(case: Case, kinds: Iterable[Kind]) -> dict[str, Any]:
    """What an expression sees of a case: as told, and blank where it is silent."""
    empty = blank(kinds)
    linked = {**empty["linked"], **{kind: [{**empty["object"], **one} for one in ones] for kind, ones in case.linked.items()}}
    values = {
        "object": {"name": case.name, "tenant": case.tenant.get("name", "example"), "labels": case.labels, "spec": case.spec},
        "linked": linked,
        "placement": {**empty["placement"], **case.placement},
        "tenant": {**empty["tenant"], **case.tenant},
        "policy": {**empty["policy"], **case.policy},
    }
    return {**values, "today": case.today.isoformat() if case.today is not None else _TODAY}


def _pointer(expression: Expression) -> Pointer:
    """The first field of the spec that the expression reads."""
    chains = [chain for node in walk(expression.tree.root) if isinstance(node, Select) and (chain := _chain(node)) and chain[0] == "spec"]
    return max(chains, key=lambda chain: (-_rank(chains, chain), len(chain)), default=("spec",))


def _rank(chains: list[tuple[str, ...]], chain: tuple[str, ...]) -> int:
    """How late the field that a chain begins with is first read."""
    return next(place for place, other in enumerate(chains) if other[:2] == chain[:2])


def _chain(node: Node) -> tuple[str, ...]:
    names: list[str] = []
    while isinstance(node, Select):
        names.append(node.field)
        node = node.operand
    return tuple(reversed(names)) if isinstance(node, Ident) and node.name == "object" else ()
