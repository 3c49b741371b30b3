"""Logs: one line a happening, as JSON for machines or as text for a terminal. What strangers wrote cannot break a line, and no token gets out."""

from __future__ import annotations

import json
import logging
import math
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

from reconciler.core.describe import as_json, describe, moment
from reconciler.model.happenings import Happening, RunBegan, RunEnded, SourceChanged
from reconciler.model.secrecy import redacted
from reconciler.shell.report.text import visible

LOGGER = "fleetwright"
LONGEST = 8000
"""Characters of one value; more is cut."""
_DEPTH = 8


class LogListener:
    """A listener that logs. What happens while a run is under way has that run's id as its correlation id."""

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger(LOGGER)
        self._run = self._revision = ""

    def hear(self, happening: Happening) -> None:
        """One line."""
        match happening:
            case RunBegan(run=run, revision=revision):
                self._run, self._revision = run, revision
            case SourceChanged(revision=revision) if not self._run:
                self._revision = revision
            case _:
                pass
        told = describe(happening)
        context = {"run": self._run, "revision": self._revision, "correlation": self._run}
        extra = {"event": told.name, "context": context | {"about": as_json(happening)}}
        self._logger.log(int(told.gravity), "%s", told.sentence, extra=extra)
        if isinstance(happening, RunEnded):
            self._run = ""


class JsonFormatter(logging.Formatter):
    """One JSON object a line, in ASCII: `time`, `level`, `logger`, `event`, `message`, `run`, `revision`, `correlation`, `about`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {"time": _time(record), "level": record.levelname.lower(), "logger": record.name}
        line |= {"event": getattr(record, "event", "log"), "message": record.getMessage()}
        context = getattr(record, "context", None)
        if isinstance(context, dict):  # other libraries have records with fields of that name, too
            line |= {name: value for name, value in context.items() if value}
        if record.exc_info:
            line["exception"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(_safe(line), default=str)


class TextFormatter(logging.Formatter):
    """`12:00:01.250 warning the repository is gone`, for people."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the lines of an exception below it."""
        run = (getattr(record, "context", None) or {}).get("run", "") if isinstance(getattr(record, "context", None), dict) else ""
        text = visible(redacted(record.getMessage())[:LONGEST])
        line = f"{_time(record)[11:23]} {record.levelname.lower():<7} {text}" + (f"  [{visible(run)}]" if run else "")
        if record.exc_info:
            told = redacted("".join(traceback.format_exception(*record.exc_info)))
            line += "".join(f"\n    {visible(one)}" for one in told.rstrip().split("\n"))
        return line


def set_up(stream: TextIO, style: str = "auto", level: int = logging.INFO) -> logging.Handler:
    """Sends all logging of this process to a stream. `style` is `json`, `text`, or `auto`: text on a terminal."""
    handler = logging.StreamHandler(stream)
    text = style == "text" or (style == "auto" and stream.isatty())
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    return handler


def _time(record: logging.LogRecord) -> str:
    return moment(datetime.fromtimestamp(record.created, UTC))


def _safe(value: Any, depth: int = 0) -> Any:
    """Without tokens, and bounded."""
    match value:
        case str():
            text = redacted(value)
            return text if len(text) <= LONGEST else text[:LONGEST] + "…"
        case dict() if depth < _DEPTH:
            return {redacted(str(key)): _safe(inner, depth + 1) for key, inner in value.items()}
        case list() | tuple() if depth < _DEPTH:
            return [_safe(inner, depth + 1) for inner in value]
        case bool() | int() | None:
            return value
        case float() if math.isfinite(value):
            return value
        case _:
            return redacted(str(value))[:LONGEST]
