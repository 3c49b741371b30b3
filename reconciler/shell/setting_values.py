"""Settings as they are now, and where each value comes from: flag before variable before fleet.yaml before default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.model.fleet import EnvironmentSpec, Fleet, FleetSpec
from reconciler.model.value import dataclass
from reconciler.shell import variables
from reconciler.shell.settings import SETTINGS, Scope, Setting, Type, attribute, default_of, text_of


@dataclass(frozen=True, slots=True)
class Value:
    """A setting as it is now, and where that comes from."""

    setting: Setting
    value: str
    origin: str


def values(fleet: Fleet, environ: Mapping[str, str], flags: Mapping[str, str]) -> tuple[Value, ...]:
    """Every setting with its value. `flags` are those given on this command line; keys are read in the environment they name."""
    chosen = _chosen(fleet, environ, flags)
    return tuple(_value(setting, fleet, environ, flags, chosen) for setting in SETTINGS)


def _chosen(fleet: Fleet, environ: Mapping[str, str], flags: Mapping[str, str]) -> str:
    default = fleet.spec.default_environment if fleet.spec is not None else ""
    return flags.get("--env") or environ.get(variables.ENV) or default


def _value(setting: Setting, fleet: Fleet, environ: Mapping[str, str], flags: Mapping[str, str], chosen: str) -> Value:
    if setting.flag and (given := flags.get(setting.flag)):
        return Value(setting, given, f"flag {setting.flag}")
    if setting.variable and (given := environ.get(setting.variable)):
        return Value(setting, "(set)" if setting.type is Type.SECRET else given, f"variable {setting.variable}")
    if setting.key and fleet.spec is not None:
        return _from_file(setting, fleet, fleet.spec, chosen)
    return Value(setting, default_of(setting), "default")


def _from_file(setting: Setting, fleet: Fleet, spec: FleetSpec, chosen: str) -> Value:
    parts, above = tuple(setting.key.split(".")), ("spec", "environments", chosen)
    own = spec.environments.get(chosen) if setting.scope is not Scope.FLEET else None
    if setting.scope is Scope.ENVIRONMENT:
        return _read(setting, own, fleet, above, parts) if own is not None else Value(setting, default_of(setting), "default")
    # A block of an environment, such as `sync`, replaces the fleet's as a whole, defaults included.
    if own is not None and _is_written(fleet, (*above, parts[0])):
        return _read(setting, own, fleet, above, parts)
    return _read(setting, spec, fleet, ("spec",), parts)


def _read(setting: Setting, start: FleetSpec | EnvironmentSpec, fleet: Fleet, base: tuple[str, ...], parts: tuple[str, ...]) -> Value:
    value: Any = start
    for part in parts:
        value = getattr(value, attribute(part))
    if not _is_written(fleet, (*base, *parts)):
        return Value(setting, text_of(setting, value) or setting.default, "default")
    assert fleet.document is not None
    return Value(setting, text_of(setting, value), f"{fleet.document.key_place((*base, *parts))} {'.'.join((*base[1:], *parts))}")


def _is_written(fleet: Fleet, pointer: tuple[str, ...]) -> bool:
    value: Any = fleet.document.value if fleet.document is not None else None
    for part in pointer:
        if not isinstance(value, dict) or part not in value:
            return False
        value = value[part]
    return True
