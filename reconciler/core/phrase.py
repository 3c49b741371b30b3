"""A validation error of pydantic as a finding's code, message and fix, in plain English."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from reconciler.core.codes import specs as codes
from reconciler.core.suggest import closest, listed
from reconciler.model.findings import Code
from reconciler.model.fleet import Registry
from reconciler.model.spec import NAME_PATTERN, EnvName, HttpPath, LinkName, SecretKey, Sha256, Tag

Phrase = tuple[Code, str, str]

WANTED: Mapping[str, str] = {
    "string_type": "text",
    "string_sub_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "date_type": "a date such as 2026-12-31",
    "none_required": "nothing",
}
"""Types of errors that say no more than: another type was wanted."""


def _pattern(alias: Any) -> str:
    return next(str(part.pattern) for field in get_args(alias)[1:] for part in field.metadata if hasattr(part, "pattern"))


_NAMES = "lower-case letters, digits and `-`, with a letter or a digit at both ends"
_WRITTEN: Mapping[str, str] = {
    NAME_PATTERN: f"a name: {_NAMES}",
    _pattern(LinkName): f"a name, or `tenant/name`: {_NAMES}",
    _pattern(EnvName): "the name of a variable: letters, digits and `_`, not beginning with a digit",
    _pattern(HttpPath): "a path that begins with `/` and has no spaces",
    _pattern(Registry): "a registry and a path in it, such as ghcr.io/acme",
    _pattern(SecretKey): "a key of a Secret: `secret/key`; never the value itself",
    _pattern(Sha256): "a digest: `sha256:` and 64 hexadecimal digits",
    _pattern(Tag): "an image tag: up to 128 letters, digits, `_`, `.` and `-`",
}
_BOUNDS: Mapping[str, tuple[str, str]] = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
    "multiple_of": ("multiple_of", "a multiple of"),
}


def phrase(type_: str, given: Any, context: Mapping[str, Any], otherwise: str) -> Phrase:
    """What to say of an error of pydantic's type `type_` about the value `given`. `otherwise` is pydantic's own message."""
    if type_ in WANTED:
        return wrong_type((WANTED[type_],), given)
    if type_ in _BOUNDS:
        name, words = _BOUNDS[type_]
        return codes.NOT_ALLOWED, f"must be {words} {context[name]}, not {shown(given)}", f"give {words} {context[name]}"
    speak = _SPEAKERS.get(type_)
    if speak is not None:
        return speak(given, context)
    message = otherwise.removeprefix("Input ").removeprefix("Value error, ")
    return codes.NOT_ALLOWED, message[:1].lower() + message[1:], str(context.get("fix", ""))


def wrong_type(wanted: tuple[str, ...], given: Any) -> Phrase:
    """The value is of none of the wanted types."""
    words = " or ".join(dict.fromkeys(wanted))
    if given is None:
        return codes.WRONG_TYPE, f"is empty; it must be {words}", "give it a value, or leave the line out"
    return codes.WRONG_TYPE, f"must be {words}, not {_kind(given)}", _conversion(wanted, given)


def shown(value: Any) -> str:
    """A value as a message shows it: short, on one line."""
    if isinstance(value, bool):
        return f"`{value}`".lower()
    if value is None or isinstance(value, dict | list):
        return _kind(value)
    text = str(value).replace("\n", "\\n")
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"


def _kind(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return f"the truth value {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "a mapping"


def _conversion(wanted: tuple[str, ...], given: Any) -> str:
    if "text" in wanted and isinstance(given, bool | int):
        return f'write it in quotes: "{str(given).lower()}"'
    if "text" in wanted and isinstance(given, float):
        return "write it in quotes"
    if isinstance(given, str) and "a whole number" in wanted and re.fullmatch(r"-?[0-9]{1,18}", given):
        return f"write it without quotes: {given}"
    if isinstance(given, str) and "true or false" in wanted and given.lower() in ("true", "false"):
        return f"write it without quotes: {given.lower()}"
    if "a list" in wanted and isinstance(given, str | int | float):
        return f"write a list: [{given}]" if len(str(given)) <= 60 else "write a list"
    return ""


def _literal(given: Any, context: Mapping[str, Any]) -> Phrase:
    choices = re.findall(r"'([^']*)'", str(context["expected"])) or [str(context["expected"])]
    near = closest(given, choices)
    return (
        codes.NOT_ALLOWED,
        f"must be {listed(choices, 'or')}, not {shown(given)}",
        f"did you mean `{near}`?" if near else "write one of them",
    )


def _written(given: Any, context: Mapping[str, Any]) -> Phrase:
    pattern = str(context["pattern"])
    if pattern == NAME_PATTERN and (better := re.sub(r"[^a-z0-9]+", "-", str(given).lower()).strip("-")):
        return codes.NOT_ALLOWED, f"{shown(given)} is not {_WRITTEN[pattern]}", f"such as `{better[:52].strip('-')}`"
    wanted = _WRITTEN.get(pattern)
    return codes.NOT_ALLOWED, f"{shown(given)} is not {wanted}" if wanted else f"{shown(given)} does not match {pattern}", ""


def _said(given: Any, context: Mapping[str, Any]) -> Phrase:
    fault = context.get("error")
    code = codes.CONTRADICTION if isinstance(given, dict) else codes.NOT_ALLOWED
    return code, str(fault) or "is not allowed", str(getattr(fault, "fix", ""))


def _long(given: Any, context: Mapping[str, Any]) -> Phrase:
    return codes.NOT_ALLOWED, f"{shown(given)} has {len(given)} characters; at most {context['max_length']} are allowed", "shorten it"


def _short(given: Any, context: Mapping[str, Any]) -> Phrase:
    if not given:
        return codes.NOT_ALLOWED, "is empty text", "give it a value, or leave the line out"
    return codes.NOT_ALLOWED, f"{shown(given)} has {len(given)} characters; at least {context['min_length']} are needed", ""


def _many(given: Any, context: Mapping[str, Any]) -> Phrase:
    return codes.NOT_ALLOWED, f"has {len(given)} entries; at most {context['max_length']} are allowed", "take some out"


def _few(given: Any, context: Mapping[str, Any]) -> Phrase:
    least = context["min_length"]
    return codes.NOT_ALLOWED, "is empty" if not given else f"has fewer than {least} entries", f"give at least {least}"


_SPEAKERS: Mapping[str, Callable[[Any, Mapping[str, Any]], Phrase]] = {
    "literal_error": _literal,
    "enum": _literal,
    "string_pattern_mismatch": _written,
    "value_error": _said,
    "assertion_error": _said,
    "string_too_long": _long,
    "string_too_short": _short,
    "too_long": _many,
    "too_short": _few,
}
