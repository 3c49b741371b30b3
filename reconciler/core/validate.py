"""Validate a value of a document against a model: a frozen spec, or findings with the exact line of each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from reconciler.core.codes import specs as codes
from reconciler.core.fields import Notes, fields_at, notes_at
from reconciler.core.phrase import WANTED, Phrase, phrase, shown, wrong_type
from reconciler.core.suggest import did_you_mean
from reconciler.model.documents import Document
from reconciler.model.findings import Finding, Place, Pointer
from reconciler.model.spec import Spec

S = TypeVar("S", bound=Spec)
MAX_FINDINGS = 50
"""Of one value: who has more has pasted something else."""
_SECRET = re.compile(r"secret|passw|token|credential", re.IGNORECASE)
_SHORTEST_SECRET = 5


def validate(model: type[S], value: Any, document: Document, base: Pointer) -> tuple[S | None, tuple[Finding, ...]]:
    """The value at `base` of the document as `model`, or what is wrong with it. Only names as YAML writes them are known."""
    try:
        return _lean(model.model_validate(value, by_alias=True, by_name=False)), ()
    except ValidationError as fault:
        faults = [_fault(error, value) for error in fault.errors(include_url=False)[: 4 * MAX_FINDINGS]]
        return None, tuple(_finding(model, document, base, one) for one in _sorted_out(faults))[:MAX_FINDINGS]


def _lean(spec: S) -> S:
    """One set of the fields that are given for all specs that give the same: of each its own, they are a fifth of what specs take."""
    object.__setattr__(spec, "__pydantic_fields_set__", _given(frozenset(spec.model_fields_set)))
    return spec


@lru_cache(maxsize=4096)
def _given(fields: frozenset[str]) -> set[str]:
    return set(fields)


class _Fault(NamedTuple):
    """One error of pydantic. `branches` are the members of unions that were tried: (where, which)."""

    type: str
    pointer: Pointer
    branches: tuple[tuple[int, str], ...]
    of_key: bool
    given: Any
    context: dict[str, Any]
    message: str
    wanted: tuple[str, ...] = ()


def _fault(error: Any, value: Any) -> _Fault:
    pointer: list[str | int] = []
    branches: list[tuple[int, str]] = []
    here, last = value, len(error["loc"]) - 1
    for place, part in enumerate(error["loc"]):
        if (isinstance(here, dict) and part in here) or (isinstance(here, list) and isinstance(part, int) and part < len(here)):
            pointer.append(part)
            here = here[part]
        elif place == last and error["type"] == "missing":
            pointer.append(part)
        elif part != "[key]":
            branches.append((len(pointer), str(part)))
    of_key = bool(error["loc"]) and error["loc"][-1] == "[key]"
    context = error.get("ctx", {})
    return _Fault(error["type"], tuple(pointer), tuple(branches), of_key, error["input"], context, error["msg"])


def _sorted_out(faults: Sequence[_Fault], level: int = 0) -> Iterator[_Fault]:
    """Of each union only the member that was probably meant."""
    unions: dict[tuple[Pointer, tuple[tuple[int, str], ...]], dict[str, list[_Fault]]] = {}
    for fault in faults:
        if len(fault.branches) <= level:
            yield fault
            continue
        depth, member = fault.branches[level]
        unions.setdefault((fault.pointer[:depth], fault.branches[:level]), {}).setdefault(member, []).append(fault)
    for (site, _), members in unions.items():
        meant = [fits for fits in members.values() if not any(_is_other_type(fault, site) for fault in fits)]
        if meant:
            yield from _sorted_out(min(meant, key=len), level + 1)
        else:
            yield _none_of(fault for fits in members.values() for fault in fits if fault.pointer == site)


def _is_other_type(fault: _Fault, site: Pointer) -> bool:
    return fault.pointer == site and fault.type in WANTED


def _none_of(faults: Iterable[_Fault]) -> _Fault:
    first, *others = faults
    wanted = tuple(WANTED[fault.type] for fault in (first, *others) if fault.type in WANTED)
    return _Fault(first.type, first.pointer, (), first.of_key, first.given, first.context, first.message, wanted)


def _finding(model: type[Spec], document: Document, base: Pointer, fault: _Fault) -> Finding:
    pointer = (*base, *fault.pointer)
    name = str(pointer[-1]) if pointer else ""
    if fault.type == "missing":
        place = Place(document.path, *document.marks.key(pointer[:-1]), pointer)
        purpose = notes_at(model, fault.pointer).description
        return codes.MISSING_FIELD.at(place, f"`{name}` is missing", f"add `{name}:`" + (f" ({purpose})" if purpose else ""), document.ref)
    if fault.type == "extra_forbidden":
        fix = did_you_mean(name, fields_at(model, fault.pointer[:-1])) or f"`fleet explain {document.ref.kind}` lists the fields"
        return codes.UNKNOWN_FIELD.at(document.key_place(pointer), f"there is no field `{name}` here", fix, document.ref)
    code, message, fix = _said(fault, notes_at(model, fault.pointer, of_key=fault.of_key))
    place = document.key_place(pointer) if fault.of_key else document.place(pointer)
    return code.at(place, _discreet(message, pointer, fault.given), fix or f"see `fleet explain {code.id}`", document.ref)


def _said(fault: _Fault, notes: Notes) -> Phrase:
    """Code, message and fix of a value that is there and wrong, in the field's own words where it has some."""
    if fault.wanted:
        code, message, fix = wrong_type(fault.wanted, fault.given)
    else:
        code, message, fix = phrase(fault.type, fault.given, fault.context, fault.message)
    if fault.type == "string_pattern_mismatch" and notes.means:
        message = f"{shown(fault.given)} is not {notes.means}"
    if not fix and notes.example:
        fix = f"such as `{notes.example}`"
    if not fix and notes.description:
        fix = f"{notes.description}; see `fleet explain {code.id}`"
    return code, f"as a key, {message}" if fault.of_key else message, fix


def _discreet(message: str, pointer: Pointer, given: Any) -> str:
    """A message without the value where that may be a secret: reports go to logs that more people read than the source."""
    if not isinstance(given, str):
        return message
    if "PRIVATE KEY" not in given and not any(isinstance(part, str) and _SECRET.search(part) for part in pointer):
        return message
    for spelling in (shown(given), repr(given), given):
        message = message.replace(spelling, "this text") if len(spelling) > _SHORTEST_SECRET else message
    return message
