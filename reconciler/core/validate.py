"""Validate a value of a document against a model: a frozen spec, or findings with the exact line of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import ValidationError

from reconciler.core.codes import specs as codes
from reconciler.core.phrase import WANTED, phrase, wrong_type
from reconciler.core.suggest import did_you_mean
from reconciler.model.documents import Document
from reconciler.model.findings import Finding, Place, Pointer
from reconciler.model.spec import Spec

S = TypeVar("S", bound=Spec)
MAX_FINDINGS = 50
"""Of one value: who has more has pasted something else."""


def validate(model: type[S], value: Any, document: Document, base: Pointer) -> tuple[S | None, tuple[Finding, ...]]:
    """The value at `base` of the document as `model`, or what is wrong with it. Only names as YAML writes them are known."""
    try:
        return model.model_validate(value, by_alias=True, by_name=False), ()
    except ValidationError as fault:
        faults = [_fault(error, value) for error in fault.errors(include_url=False)[: 4 * MAX_FINDINGS]]
        return None, tuple(_finding(model, document, base, one) for one in _sorted_out(faults))[:MAX_FINDINGS]


@dataclass(frozen=True, slots=True)
class _Fault:
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
        return codes.MISSING_FIELD.at(place, f"`{name}` is missing", f"add `{name}:`{_purpose(model, fault.pointer)}", document.ref)
    if fault.type == "extra_forbidden":
        known = [field for found in models_at(model, fault.pointer[:-1]) for field in fields_of(found)]
        fix = did_you_mean(name, known, f"`fleet explain {document.ref.kind}` lists the fields")
        return codes.UNKNOWN_FIELD.at(document.key_place(pointer), f"there is no field `{name}` here", fix, document.ref)
    code, message, fix = (
        wrong_type(fault.wanted, fault.given) if fault.wanted else phrase(fault.type, fault.given, fault.context, fault.message)
    )
    place = document.key_place(pointer) if fault.of_key else document.place(pointer)
    lead = f"{description}; " if (description := _description(model, fault.pointer)) else ""
    fix = fix or f"{lead}see `fleet explain {code.id}`"
    return code.at(place, f"as a key, {message}" if fault.of_key else message, fix, document.ref)


def _purpose(model: type[Spec], pointer: Pointer) -> str:
    description = _description(model, pointer)
    return f" ({description})" if description else ""


def _description(model: type[Spec], pointer: Pointer) -> str:
    """The first line of what a field's own documentation says."""
    for found in models_at(model, pointer[:-1]):
        for name, field in found.model_fields.items():
            if pointer and (field.alias or name) == pointer[-1] and field.description:
                return field.description.splitlines()[0].rstrip(".")
    return ""


def fields_of(model: type[Spec]) -> list[str]:
    """The fields of a model as YAML writes them."""
    return [field.alias or name for name, field in model.model_fields.items()]


def models_at(model: Any, pointer: Pointer) -> list[type[Spec]]:
    """The models that a value at `pointer` may be of."""
    types = list(_members(model))
    for part in pointer:
        types = [member for type_ in types for inner in _inside(type_, part) for member in _members(inner)]
    return [type_ for type_ in types if isinstance(type_, type) and issubclass(type_, Spec)]


def _members(type_: Any) -> Iterator[Any]:
    """The types of a union, annotations taken off."""
    if get_origin(type_) is Annotated:
        yield from _members(get_args(type_)[0])
    elif get_args(type_) and get_origin(type_) not in (dict, list, tuple, set, frozenset):
        for member in get_args(type_):
            yield from _members(member)
    else:
        yield type_


def _inside(type_: Any, part: str | int) -> Iterator[Any]:
    """The types of what a value of `type_` has at `part`."""
    if isinstance(type_, type) and get_origin(type_) is None and issubclass(type_, Spec):
        yield from (field.annotation for name, field in type_.model_fields.items() if (field.alias or name) == part)
    elif get_origin(type_) is dict:
        yield get_args(type_)[1]
    elif get_origin(type_) is not None and isinstance(part, int):
        yield get_args(type_)[0]
