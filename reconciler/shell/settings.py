"""Settings: the one inventory of everything that can be set from outside a spec."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic_core import PydanticUndefined

from reconciler.model.fleet import EnvironmentSpec, FleetSpec
from reconciler.model.quantities import format_duration
from reconciler.model.value import dataclass
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
    SECRET = "secret"  # noqa: S105  what it is called
    """Never shown."""


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
    Setting(
        "blobs",
        "Where builds keep layers, packages, their builder's storage and what needed no build on this machine. Layers go when nothing used them for a week.",
        Type.FOLDER,
        variable=variables.BLOBS,
        default="~/.cache/fleetwright/builds",
    ),
    Setting(
        "trivy",
        "The program that looks for vulnerabilities.",
        Type.TEXT,
        variable=variables.TRIVY,
        default="the one beside Python or on PATH",
    ),
    Setting(
        "trivy database",
        "Trivy's cache folder, which has its database; `fleet images database` fetches it.",
        Type.FOLDER,
        variable=variables.TRIVY_DATABASE,
        default="BLOBS/trivy",
    ),
    Setting(
        "trivy repository",
        "OCI repository that `fleet images database update` fetches from.",
        Type.TEXT,
        "--repository",
        variables.TRIVY_REPOSITORY,
        default="Trivy's own",
    ),
    Setting(
        "debian mirror",
        "Where packages of Debian bases are downloaded; for security fixes its `-security` twin.",
        Type.URL,
        variable=variables.DEBIAN_MIRROR,
        default="http://deb.debian.org/debian",
    ),
    Setting(
        "signing key",
        "The private key that signs images: a file, or the PEM itself; `--key FILE` counts before it.",
        Type.SECRET,
        variable=variables.SIGNING_KEY,
    ),
    Setting(
        "signing passphrase",
        "What unlocks the signing key; on a terminal it is asked for.",
        Type.SECRET,
        variable=variables.SIGNING_PASSPHRASE,
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
    "REGISTRY_AUTH_FILE": "Credentials for registries, as podman reads them; else the usual files of podman and docker.",
    "GITHUB_TOKEN": "Credentials for ghcr.io, where no file has others.",
    "_EXPERIMENTAL_DAGGER_RUNNER_HOST": "The Dagger engine that builds images; without it the SDK starts one by docker.",
    "GITHUB_ACTIONS": "Set by GitHub: `fleet lint` then writes annotations.",
}
"""Variables that others made up and that count here, too."""


def text_of(setting: Setting, value: Any) -> str:
    """A value as people write it."""
    if value is None:
        return ""
    if setting.type is Type.DURATION:
        return format_duration(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def attribute(name: str) -> str:
    """The models' name of a key: `imagePullSecret` is `image_pull_secret`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def default_of(setting: Setting) -> str:
    """What holds where nobody says anything: of keys, what their model says."""
    if not setting.key or setting.default:
        return setting.default
    first, *rest = setting.key.split(".")
    model = EnvironmentSpec if setting.scope is Scope.ENVIRONMENT else FleetSpec
    value: Any = model.model_fields[attribute(first)].get_default()
    for part in rest:
        value = getattr(value, attribute(part))
    return "" if value is None or value is PydanticUndefined else text_of(setting, value)


def keys(setting: Setting) -> tuple[str, ...]:
    """Where in fleet.yaml it may stand; the first counts before the second."""
    if not setting.key:
        return ()
    scopes = (Scope.ENVIRONMENT, Scope.FLEET) if setting.scope is Scope.BOTH else (setting.scope,)
    return tuple(f"{scope}.{setting.key}" for scope in scopes)
