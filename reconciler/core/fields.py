"""What models say of their fields, found by a place in a document: names, meanings, examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from pydantic.fields import FieldInfo

from reconciler.model.findings import Pointer
from reconciler.model.spec import Spec, documented

_CONTAINERS = (dict, list, tuple, set, frozenset)


class Notes(NamedTuple):
    """What a field says of itself."""

    description: str = ""
    """First line of its documentation."""
    means: str = ""
    """What a value is, after "is not": the `title` of its type, such as `an absolute path`."""
    example: str = ""


class _Spot(NamedTuple):
    """A type somewhere in a model, with what is annotated there."""

    type: Any
    infos: tuple[FieldInfo, ...] = ()


def fields_at(model: type[Spec], pointer: Pointer) -> list[str]:
    """The fields, as YAML writes them, of every model that a value at `pointer` may be of."""
    models = [spot.type for spot in _spots(model, pointer) if _is_model(spot.type)]
    return list(dict.fromkeys(field.alias or name for found in models for name, field in found.model_fields.items()))


def notes_at(model: type[Spec], pointer: Pointer, *, of_key: bool = False) -> Notes:
    """What is said of the value (or of the key) at `pointer`."""
    infos = [info for spot in _spots(model, pointer, of_key=of_key) for info in spot.infos]
    description = next((info.description for info in infos if info.description), "")
    means = next((info.title for info in infos if info.title), "")
    example = next((str(info.examples[0]) for info in infos if info.examples), "")
    return Notes(description.partition("\n")[0].rstrip("."), means, example)


def _spots(model: type[Spec], pointer: Pointer, *, of_key: bool = False) -> list[_Spot]:
    spots = [_Spot(model)]
    for place, part in enumerate(pointer):
        key = of_key and place == len(pointer) - 1
        spots = [member for spot in spots for inner in _inside(spot.type, part, key=key) for member in _members(inner)]
    return spots


def _members(spot: _Spot) -> Iterator[_Spot]:
    """The types of a union, annotations taken off and kept."""
    origin, arguments = get_origin(spot.type), get_args(spot.type)
    if origin is Annotated:
        infos = tuple(info for info in arguments[1:] if isinstance(info, FieldInfo))
        yield from _members(_Spot(arguments[0], (*spot.infos, *infos)))
    elif arguments and origin not in _CONTAINERS:
        for member in arguments:
            yield from _members(_Spot(member, spot.infos))
    else:
        yield spot


def _inside(type_: Any, part: str | int, *, key: bool) -> Iterator[_Spot]:
    """What a value of `type_` has at `part`."""
    if _is_model(type_):
        yield from (_Spot(field.annotation, (field,)) for name, field in documented(type_).items() if (field.alias or name) == part)
    elif get_origin(type_) is dict:
        yield _Spot(get_args(type_)[0 if key else 1])
    elif get_origin(type_) in _CONTAINERS and isinstance(part, int):
        yield _Spot(get_args(type_)[0])


def _is_model(type_: Any) -> bool:
    return isinstance(type_, type) and get_origin(type_) is None and issubclass(type_, Spec)
