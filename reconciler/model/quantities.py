"""Quantities with units: CPU in millicores, memory in bytes, durations in milliseconds. Read and written as Kubernetes writes them."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_MEMORY = re.compile(r"^(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti|k|M|G|T)?$")
_CPU = re.compile(r"^(\d+(?:\.\d+)?)(m)?$")
_DURATION = re.compile(r"^(\d+)(ms|s|m|h|d)$")
_UNITS = {None: 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_LARGEST = 2**53


def parse_memory(value: Any) -> int:
    """Bytes of `512Mi`, `1.5Gi` or a plain number. Raises ValueError with a sentence."""
    match = _MEMORY.match(str(value)) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    if match is None:
        raise ValueError(f"{value!r} is not an amount of memory such as 512Mi or 2Gi")
    return _bounded(float(match[1]) * _UNITS[match[2]], value)


def parse_cpu(value: Any) -> int:
    """Millicores of `250m`, `0.5` or `8`. Raises ValueError with a sentence."""
    match = _CPU.match(str(value)) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    if match is None:
        raise ValueError(f"{value!r} is not an amount of CPU such as 250m or 2")
    return _bounded(float(match[1]) * (1 if match[2] else 1000), value)


def parse_duration(value: Any) -> int:
    """Milliseconds of `500ms`, `60s`, `5m`, `2h` or `7d`. Raises ValueError with a sentence."""
    match = _DURATION.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a duration such as 500ms, 60s, 5m, 2h or 7d")
    return _bounded(int(match[1]) * _MILLISECONDS[match[2]], value)


def _bounded(amount: float, value: Any) -> int:
    if amount > _LARGEST:
        raise ValueError(f"{value!r} is larger than anything that exists")
    return round(amount)


def format_count(number: int) -> str:
    """The canonical Kubernetes spelling of so many things: `2k`, `1500` (apimachinery `resource.Quantity`, DecimalSI)."""
    for unit in ("T", "G", "M", "k"):
        if number and number % _UNITS[unit] == 0:
            return f"{number // _UNITS[unit]}{unit}"
    return str(number)


def format_memory(amount: int) -> str:
    """The canonical Kubernetes spelling of so many bytes: `512Mi`; what no binary unit divides is counted in tens."""
    for unit in ("Ti", "Gi", "Mi", "Ki"):
        if amount and amount % _UNITS[unit] == 0:
            return f"{amount // _UNITS[unit]}{unit}"
    return format_count(amount)


def format_cpu(millicores: int) -> str:
    """The canonical Kubernetes spelling of so many millicores: `250m`, `2`."""
    return f"{millicores}m" if millicores % 1000 else format_count(millicores // 1000)


def format_duration(milliseconds: int) -> str:
    """The shortest exact spelling of a duration: `90s`, `5m`."""
    for unit in ("d", "h", "m", "s"):
        if milliseconds and milliseconds % _MILLISECONDS[unit] == 0:
            return f"{milliseconds // _MILLISECONDS[unit]}{unit}"
    return f"{milliseconds}ms"


def seconds(milliseconds: int) -> int:
    """Whole seconds, rounded up: what Kubernetes fields hold."""
    return -(-milliseconds // 1000)


Memory = Annotated[
    int,
    BeforeValidator(parse_memory),
    PlainSerializer(format_memory, return_type=str, when_used="json"),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": _MEMORY.pattern}, {"type": "integer", "minimum": 0}], "examples": ["512Mi", "2Gi"]}
    ),
]
"""Bytes."""

Cpu = Annotated[
    int,
    BeforeValidator(parse_cpu),
    PlainSerializer(format_cpu, return_type=str, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": _CPU.pattern}, {"type": "number", "minimum": 0}], "examples": ["250m", 2]}),
]
"""Millicores."""

Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": _DURATION.pattern, "examples": ["60s", "5m"]}),
]
"""Milliseconds."""
