"""What is expected of a text is said in words: no message shows a regular expression."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from reconciler.core.phrase import phrase
from reconciler.kinds import KINDS
from reconciler.model.fleet import FleetSpec
from reconciler.model.lock_file import ImageEntry
from reconciler.model.spec import Metadata, Spec

MODELS = (FleetSpec, Metadata, ImageEntry, *(kind.spec for kind in KINDS))


def written(type_: Any, infos: tuple[FieldInfo, ...], where: str, seen: set[type]) -> Iterator[tuple[str, str, str]]:
    """Every pattern below a type, with the title beside it and the field that it is of."""
    if get_origin(type_) is Annotated:
        inner, *marks = get_args(type_)
        yield from written(inner, (*infos, *(mark for mark in marks if isinstance(mark, FieldInfo))), where, seen)
    elif isinstance(type_, type) and get_origin(type_) is None and issubclass(type_, Spec):
        if type_ not in seen:
            seen.add(type_)
            for name, field in type_.model_fields.items():
                yield from written(field.annotation, (field,), f"{type_.__name__}.{name}", seen)
    else:
        for inner in get_args(type_):
            yield from written(inner, () if get_origin(type_) in (dict, list, tuple) else infos, where, seen)
        title = next((info.title for info in infos if info.title), "")
        yield from ((pattern, title, where) for info in infos for mark in info.metadata if (pattern := getattr(mark, "pattern", None)))


FOUND = [found for seen in [set[type]()] for model in MODELS for found in written(model, (), "", seen)]


def test_there_are_patterns_to_look_at() -> None:
    assert len(FOUND) > 50


@pytest.mark.parametrize(("pattern", "title", "where"), sorted(set(FOUND)))
def test_every_pattern_is_also_said_in_words(pattern: str, title: str, where: str) -> None:
    _, message, _ = phrase("string_pattern_mismatch", "%", {"pattern": pattern}, "")
    assert title or pattern not in message, where
