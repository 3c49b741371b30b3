"""Values of a change as people read them: tags for digests, short, and no secret among them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from reconciler.model.plan import Change
from reconciler.model.secrecy import known_token
from reconciler.shell.report.plan_escape import visible

HIDDEN = "(hidden)"
NOTHING = "(none)"
_LONGEST = 72
_DIGEST = 12
_POD = ("spec", "template", "spec")
_TELLING = re.compile(r"(?i)(passw|passphrase|secret|token|credential|private.?key|api.?key|access.?key|auth$)")
_REFERENCES = frozenset({"secretName", "secretKeyRef", "secretRef", "imagePullSecrets", "serviceAccountToken", "optional"})
_URL_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^/\s@]+(@)")
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def pointer(path: str) -> tuple[str, ...]:
    """The parts of a JSON pointer (RFC 6901)."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:])


def label(path: str) -> str:
    """A field's name as people say it: `image`, `env LOG_LEVEL`, `replicas`, `metadata.labels.team`."""
    parts = pointer(path)
    inside = parts[3:] if parts[:3] == _POD else parts[1:] if parts[:1] == ("spec",) else parts
    if inside[:1] in (("containers",), ("initContainers",)) and len(inside) > 2:
        inside = inside[2:] if inside[1] == "app" else inside[1:]
    if inside[:1] == ("env",) and len(inside) > 1:
        return visible(f"env {inside[1]}")
    return visible(".".join(inside or parts))


def redacted(path: str, value: Any) -> Any:
    """`value` without what looks like a secret: variables and keys so named, passwords in URLs, what kubectl wrote down."""
    parts = pointer(path)
    named = parts[-2] if parts[-1:] == ("value",) and len(parts) > 1 else parts[-1] if parts else ""
    if named == _APPLIED and value is not None:
        return HIDDEN
    return _redacted(named, value)


def _redacted(named: str, value: Any) -> Any:
    match value:
        case str():
            is_secret = named not in _REFERENCES and _TELLING.search(named) and value
            return HIDDEN if is_secret or known_token(value) else without_password(value)
        case dict():
            variable = value.get("name")
            return {
                key: _redacted(variable if key == "value" and isinstance(variable, str) else str(key), item) for key, item in value.items()
            }
        case list():
            return [_redacted(named if isinstance(item, str) else "", item) for item in value]
        case _:
            return value


def without_password(text: str) -> str:
    """`text` with the passwords of its URLs hidden."""
    return _URL_PASSWORD.sub(r"\1***\2", text) if "://" in text else text


def pair(change: Change, tags: Mapping[str, str]) -> tuple[str, str]:
    """Before and after, each short enough for a line; images by the tags that the lock knows."""
    if change.path.endswith("/image") and isinstance(change.before, str) and isinstance(change.after, str):
        return _images(change.before, change.after, tags)
    old, new = (_shown(redacted(change.path, side)) for side in (change.before, change.after))
    if old != new or HIDDEN in (old, new):
        return old, new
    return _lengthened(change) if type(change.before) is type(change.after) else (_quoted(change.before), _quoted(change.after))


def _lengthened(change: Change) -> tuple[str, str]:
    """Two values that are the same once cut: from where they part."""
    old, new = (_text(redacted(change.path, side)) for side in (change.before, change.after))
    apart = next((at for at, (one, two) in enumerate(zip(old, new, strict=False)) if one != two), min(len(old), len(new)))
    begin = max(apart - _LONGEST // 3, 0)
    before, after = (_cut(visible(side[begin:])) for side in (old, new))
    return f"...{before}", f"...{after}"


def _images(before: str, after: str, tags: Mapping[str, str]) -> tuple[str, str]:
    (old_name, old), (new_name, new) = _image(before, tags), _image(after, tags)
    if old_name == new_name:
        return visible(old), visible(new)
    old_last, new_last = old_name.rpartition("/")[2], new_name.rpartition("/")[2]
    if old_last == new_last:
        return visible(f"{old_name}:{old}"), visible(f"{new_name}:{new}")
    return visible(f"{old_last}:{old}"), visible(f"{new_last}:{new}")


def _image(reference: str, tags: Mapping[str, str]) -> tuple[str, str]:
    name, at, digest = reference.partition("@")
    if at:
        algorithm, _, hexadecimal = digest.partition(":")
        return name, tags.get(digest) or f"{algorithm}:{hexadecimal[:_DIGEST]}"
    name, colon, tag = reference.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (reference, "latest")


def _shown(value: Any) -> str:
    if isinstance(value, str) and "\n" in value:
        return f"({value.count(chr(10)) + (not value.endswith(chr(10)))} lines)"
    return _cut(visible(_text(value)))


def _text(value: Any) -> str:
    match value:
        case None:
            return NOTHING
        case str():
            return value or '""'
        case {"name": _, "value": str(held), **rest} if not rest:
            return held or '""'
        case {"name": _, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}:
            return f"secret {name}/{key}"
        case {"secretKeyRef": {"name": name, "key": key}}:
            return f"secret {name}/{key}"
        case _:
            return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _quoted(value: Any) -> str:
    return _cut(visible(json.dumps(value, ensure_ascii=False, default=str)))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
