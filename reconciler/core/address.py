"""Address messages: which target wants one, and how each type of target is written to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from reconciler.core.describe import moment
from reconciler.core.telling import Message
from reconciler.model.fleet import Notification

VERSION = "fleetwright.dev/notification/v1"
"""Of the JSON that webhooks get: fields may come, none goes or changes its meaning."""
STATUS_LENGTH = 140
"""Longest description of a commit status (GitHub REST API, "Create a commit status")."""
_TEXT_LENGTH = 3000
_LISTED = 50
"""Entries of one list, such as the fields of a drift."""
_SLACK = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
"""Slack reads `<!channel>` and links out of a text; these are how it wants them written (Slack, "Formatting text")."""


def wants(target: Notification, message: Message) -> bool:
    """Whether a target is told."""
    if message.proposes or target.type == "pull-request":
        return message.proposes and target.type == "pull-request"
    if target.type == "github":
        return bool(message.verdict) and is_commit(message.revision)
    return message.topic in target.events if target.events else message.topic != "begun"


def content(message: Message, id: str, fleet: str, environment: str, now: datetime) -> dict[str, Any]:
    """The message as JSON: what webhooks get, and what the others are made of."""
    return {
        "version": VERSION,
        "id": id,
        "at": moment(now),
        "fleet": fleet,
        "environment": environment,
        "topic": message.topic,
        "subject": message.subject,
        "text": _cut(message.text, _TEXT_LENGTH),
        "revision": message.revision,
        "verdict": message.verdict,
        "about": _bounded(list(message.about)),
    }


def for_slack(body: Mapping[str, Any]) -> dict[str, str]:
    """`{"text": ...}`, in which nothing is a command."""
    text = f"[{body['fleet']} {body['environment']}] {body['topic']}: {body['text']}"
    return {"text": seen(text).translate(_SLACK)}


def for_github(body: Mapping[str, Any]) -> dict[str, str]:
    """A commit status (POST /repos/{owner}/{repo}/statuses/{sha})."""
    return {
        "state": body["verdict"],
        "context": f"fleetwright/{body['environment']}",
        "description": _cut(seen(body["text"]), STATUS_LENGTH),
    }


def _bounded(value: Any) -> Any:
    """What strangers wrote makes no letter large."""
    match value:
        case str():
            return _cut(value, _TEXT_LENGTH)
        case list():
            return [_bounded(inner) for inner in value[:_LISTED]]
        case Mapping():
            return {key: _bounded(inner) for key, inner in value.items()}
        case _:
            return value


def is_commit(revision: str) -> bool:
    """Whether it is the full id of a commit or another object of git (SHA-1 or SHA-256)."""
    return len(revision) in {40, 64} and all(digit in "0123456789abcdef" for digit in revision)


def seen(text: str) -> str:
    """In one line, with nothing that a terminal or a page would obey."""
    return "".join(char if char.isprintable() else " " for char in text)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
