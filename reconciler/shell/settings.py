"""Settings: the one inventory of everything that can be set from outside a spec, and where each value comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic_core import PydanticUndefined

from reconciler.model.fleet import EnvironmentSpec, Fleet, FleetSpec
from reconciler.model.quantities import format_duration
from reconciler.shell import variables


class Type(StrEnum):
    """What a setting's value is."""

    NAME = "name"
    TEXT = "text"
    FOLDER = "folder"
    URL = "URL"
    CHOICE = "choice"
    NUMBER = "whole number"
    SWITCH = "true or false"
    DURATION = "duration"


class Scope(StrEnum):
    """Where in fleet.yaml a key may stand."""

    FLEET = "spec"
    ENVIRONMENT = "spec.environments.NAME"
    BOTH = "both, the environment first"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. Empty parts do not exist for it. The flag counts before the variable, that before the key, that before the default."""

    name: str
    about: str
    type: Type
    flag: str = ""
    variable: str = ""
    key: str = ""
    """In fleet.yaml."""
    default: str = ""
    scope: Scope = Scope.FLEET


SETTINGS: tuple[Setting, ...] = (
    Setting("environment", "The environment that a command is about.", Type.NAME, "--env", variables.ENV, "defaultEnvironment"),
    Setting("repository", "The repository.", Type.FOLDER, "--repo", variables.REPO, default="the nearest folder upwards with a fleet.yaml"),
    Setting("color", "Whether output is colored: auto, always or never.", Type.CHOICE, "--color", variables.COLOR, default="auto"),
    Setting(
        "ledger",
        "Where history is kept: a database URL as SQLAlchemy writes it.",
        Type.URL,
        "",
        variables.LEDGER,
        "",
        "sqlite:///.fleet/ledger.db",
    ),
    Setting("registry", "Registry and path that images are pushed to and pulled from.", Type.TEXT, key="registry", scope=Scope.BOTH),
    Setting("cache", "Registry path of cached builds.", Type.TEXT, key="cache", scope=Scope.BOTH, default="REGISTRY/cache"),
    Setting("image pull secret", "Secret that pods pull images with.", Type.NAME, key="imagePullSecret", scope=Scope.ENVIRONMENT),
    Setting("lock", "File that records which builds passed the gate.", Type.TEXT, key="lock", scope=Scope.ENVIRONMENT),
    Setting(
        "unlocked",
        "What a service does whose image is not in the lock: block or tag.",
        Type.CHOICE,
        key="unlocked",
        scope=Scope.ENVIRONMENT,
    ),
    Setting("namespace prefix", "What namespaces of tenants begin with.", Type.TEXT, key="namespacePrefix", scope=Scope.ENVIRONMENT),
    Setting(
        "assume hardware",
        "Places GPU services although no machine has the GPU.",
        Type.SWITCH,
        key="assumeHardware",
        scope=Scope.ENVIRONMENT,
    ),
    Setting("builder", "What builds images: dagger or buildah.", Type.CHOICE, key="builder.engine", scope=Scope.BOTH),
    Setting("sync interval", "How often the operator looks at git.", Type.DURATION, key="sync.interval", scope=Scope.BOTH),
    Setting("prune", "Whether what is no longer declared is deleted.", Type.SWITCH, "--no-prune", key="sync.prune", scope=Scope.BOTH),
    Setting("approval", "Which plans wait for a person: none, prune or always.", Type.CHOICE, key="sync.approval", scope=Scope.BOTH),
    Setting(
        "guard percent",
        "Share of services that may be taken down unasked.",
        Type.NUMBER,
        "--allow-delete",
        key="sync.guards.percent",
        scope=Scope.BOTH,
    ),
    Setting(
        "guard services",
        "Number of services that may be taken down unasked.",
        Type.NUMBER,
        "--allow-delete",
        key="sync.guards.services",
        scope=Scope.BOTH,
    ),
    Setting("deadline", "How long one wave may take to become healthy.", Type.DURATION, "--timeout", key="sync.deadline", scope=Scope.BOTH),
)
"""In the order of the reference page."""

OTHERS: Mapping[str, str] = {
    "FORCE_IMAGE_TAG": "One-off hold: `FORCE_IMAGE_TAG=TAG fleet apply --service NAME`.",
    "KUBECONFIG": "Kubeconfig files, as kubectl reads them, where the environment names none.",
    "NO_COLOR": "No color, unless --color or FLEET_COLOR says otherwise (https://no-color.org).",
    "FORCE_COLOR": "Color, even where no terminal is.",
    "GITHUB_ACTIONS": "Set by GitHub: `fleet lint` then writes annotations.",
}
"""Variables that others made up and that count here, too."""


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
        return Value(setting, given, f"variable {setting.variable}")
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
        value = getattr(value, _snake(part))
    if not _is_written(fleet, (*base, *parts)):
        return Value(setting, _text(setting, value) or setting.default, "default")
    assert fleet.document is not None
    return Value(setting, _text(setting, value), f"{fleet.document.key_place((*base, *parts))} {'.'.join((*base[1:], *parts))}")


def _is_written(fleet: Fleet, pointer: tuple[str, ...]) -> bool:
    value: Any = fleet.document.value if fleet.document is not None else None
    for part in pointer:
        if not isinstance(value, dict) or part not in value:
            return False
        value = value[part]
    return True


def _text(setting: Setting, value: Any) -> str:
    if value is None:
        return ""
    if setting.type is Type.DURATION:
        return format_duration(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def default_of(setting: Setting) -> str:
    """What holds where nobody says anything: of keys, what their model says."""
    if not setting.key or setting.default:
        return setting.default
    first, *rest = setting.key.split(".")
    model = EnvironmentSpec if setting.scope is Scope.ENVIRONMENT else FleetSpec
    value: Any = model.model_fields[_snake(first)].get_default()
    for part in rest:
        value = getattr(value, _snake(part))
    return "" if value is None or value is PydanticUndefined else _text(setting, value)


def keys(setting: Setting) -> tuple[str, ...]:
    """Where in fleet.yaml it may stand; the first counts before the second."""
    if not setting.key:
        return ()
    scopes = (Scope.ENVIRONMENT, Scope.FLEET) if setting.scope is Scope.BOTH else (setting.scope,)
    return tuple(f"{scope}.{setting.key}" for scope in scopes)
