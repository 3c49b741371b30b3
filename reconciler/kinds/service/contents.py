"""Checks of what goes into a service's containers: variables, files and mounts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.kinds.service import codes
from reconciler.kinds.service.codes import at
from reconciler.kinds.service.naming import file_key
from reconciler.kinds.service.spec import ServiceSpec
from reconciler.model.findings import Finding, Pointer
from reconciler.model.fleet import Resource
from reconciler.model.secrecy import known_token, looks_secret
from reconciler.model.worker import BROKER_URL, RESULT_BACKEND, SETTINGS_FOLDER
from reconciler.model.workload import OWN_ENV, TMP

_LOADER = re.compile(
    r"^(?:LD_.*|PYTHON(?:PATH|HOME|STARTUP|INSPECT|BREAKPOINT|USERBASE|PLATLIBDIR|EXECUTABLE)|GIT_(?:SSH.*|EXEC_PATH|CONFIG.*|ASKPASS|EDITOR|PAGER|EXTERNAL_DIFF|PROXY_COMMAND|TEMPLATE_DIR|DIR)|BASH_ENV|ENV|NODE_OPTIONS|NODE_PATH"
    r"|RUBYOPT|RUBYLIB|PERL5OPT|PERL5LIB|JAVA_TOOL_OPTIONS|IFS|PATH|GCONV_PATH)$"
)
_CELERY_ENV = (BROKER_URL, RESULT_BACKEND)


def contents(service: Resource[ServiceSpec]) -> Iterator[Finding]:
    """Findings on variables, files and mounts."""
    yield from _variables(service)
    yield from _values(service)
    yield from _mounts(service)


def _variables(service: Resource[ServiceSpec]) -> Iterator[Finding]:
    spec = service.spec
    for section, names in (("env", spec.env), ("secrets", spec.secrets)):
        for name in names:
            if name in OWN_ENV or name.startswith("FLEETWRIGHT_") or (spec.worker is not None and name in _CELERY_ENV):
                yield at(service, codes.OWN, (section, name), f"{name} is set by Fleetwright", "use another name")
            elif _LOADER.match(name):
                fix = "put what it is for into the image"
                yield at(service, codes.LOADER, (section, name), f"{name} changes what code runs in the container", fix)
    for name in spec.env.keys() & spec.secrets.keys():
        yield at(service, codes.TWICE, ("secrets", name), f"{name} is in `env` too", "take it out of `env`")


def _values(service: Resource[ServiceSpec]) -> Iterator[Finding]:
    for name, value in service.spec.env.items():
        if reason := looks_secret(name, value):
            fix = f"move it to a secret: `secrets: {{{name}: secret/key}}`"
            yield at(service, codes.SECRET_VALUE, ("env", name), f"{name} looks like a secret: {reason}", fix)
    for path, text in service.spec.config.items():
        if known_token(text):
            fix = "take it out and give it to the service with `secrets`"
            yield at(service, codes.SECRET_VALUE, ("config", path), f"{path} holds what looks like a token or a private key", fix)


def _mounts(service: Resource[ServiceSpec]) -> Iterator[Finding]:
    paths: dict[str, str] = {TMP: "the scratch space that every pod has"}
    keys: dict[str, str] = {}
    for path in service.spec.config:
        if (other := keys.setdefault(file_key(path), path)) != path:
            yield at(service, codes.PATHS, ("config", path), f"{path} and {other} have the same key {file_key(path)}", "rename one")
        yield from _mount(service, paths, path, ("config", path))
    for name, volume in service.spec.volumes.items():
        yield from _mount(service, paths, volume.path, ("volumes", name, "path"))


def _mount(service: Resource[ServiceSpec], paths: dict[str, str], path: str, pointer: Pointer) -> Iterator[Finding]:
    taken = paths.get(path)
    if taken is None and service.spec.worker is not None and path.startswith(SETTINGS_FOLDER):
        taken = "the worker's settings"
    if taken is not None:
        yield at(service, codes.PATHS, pointer, f"{path} is taken by {taken}", "mount it somewhere else")
    paths[path] = ".".join(map(str, pointer))
