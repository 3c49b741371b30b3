"""Steps: what one instruction may say, wherever it stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from pipelines.core.dockerfile import codes
from pipelines.core.dockerfile.commands import Command, commands, unquoted
from pipelines.core.dockerfile.ends import ended
from pipelines.core.dockerfile.parse import ELSEWHERE
from pipelines.model.dockerfile import Dockerfile, Instruction
from reconciler.model.findings import Code, Finding
from reconciler.model.secrecy import looks_secret

_FLAGS = {"COPY": {"chmod", "chown", "from"}, "ADD": {"chmod", "chown"}, "RUN": {"mount"}}
_MOUNTS = frozenset(("bind", "cache", "secret", "tmpfs"))
_VARYING = re.compile(
    r"(^|[._-])(created|revision|version|build[._-]?(date|time|number|id)|vcs[._-]ref|commit|git[._-]?sha|timestamp|ref\.name)$"
)
_REMOTE = re.compile(r"^([a-z][a-z0-9+.-]*://|git@)", re.IGNORECASE)
_COMPILER = re.compile(
    r"^(build-essential|gcc|g\+\+|gfortran|clang|llvm|make|cmake|ninja-build|rustc|cargo|golang|nodejs-dev|default-jdk|openjdk-\d+-jdk"
    r"|cuda-(toolkit|nvcc|compiler)\S*|nvidia-cuda-toolkit|[a-z0-9.+-]+-dev)(-\d+(\.\d+)*)?$"
)
_PYTHON_PACKAGE = re.compile(r"^python(3\.\d+)(-|$)")
_PIP = re.compile(r"^pip(3(\.\d+)?)?$")


@dataclass(frozen=True, slots=True)
class Look:
    """Where an instruction stands."""

    file: Dockerfile
    last: bool
    """In the stage that becomes the image."""
    on_fleet: bool
    """That stage starts from an image of the fleet."""
    today: date

    def at(self, code: Code, offset: int, message: str, fix: str) -> Finding:
        """A finding at a place in the text."""
        return code.at(self.file.place(offset), message, fix)


def step_findings(look: Look, step: Instruction) -> Iterator[Finding]:
    """Findings on one instruction."""
    if step.name == "HEALTHCHECK":
        if step.rest.strip().upper() != "NONE":
            yield look.at(codes.HEALTHCHECK, step.start, "HEALTHCHECK is not kept", "take it out; write `health` into the service's spec")
        return
    if step.name in ELSEWHERE:
        yield look.at(codes.NOT_SHARED, step.start, f"{step.name} is not part of what all builders understand", "take it out")
        return
    yield from _flags(look, step)
    rule = _RULES.get(step.name)
    if rule is not None:
        yield from rule(look, step)


def _flags(look: Look, step: Instruction) -> Iterator[Finding]:
    known = _FLAGS.get(step.name, set())
    for flag in step.flags:
        name = flag.text[2:].partition("=")[0]
        if name not in known:
            fix = f"{step.name} has {', '.join(f'--{flag}' for flag in sorted(known))}" if known else f"write {step.name} without it"
            yield look.at(codes.NOT_SHARED, flag.start, f"{step.name} --{name} is not part of what all builders understand", fix)
    for mount in step.all_flags("mount"):
        kind = next((part[5:] for part in mount.text.split(",") if part.startswith("type=")), "bind")
        if kind not in _MOUNTS:
            yield look.at(codes.NOT_SHARED, mount.start, f"a mount of type {kind}", f"use {', '.join(sorted(_MOUNTS))}")


def _add(look: Look, step: Instruction) -> Iterator[Finding]:
    for word in step.words[:-1]:
        if _REMOTE.match(unquoted(word.text)):
            yield look.at(codes.REMOTE, word.start, f"{unquoted(word.text)} can change unseen", "put the file into the context and COPY it")


def _pairs(step: Instruction) -> Iterator[tuple[str, str, int]]:
    """`A=1 B=2`, or `A 1` as it was written once."""
    words = step.words
    if words and "=" not in words[0].text and step.name != "ARG":
        yield unquoted(words[0].text), " ".join(unquoted(word.text) for word in words[1:]), words[0].start
        return
    for word in words:
        name, _, value = unquoted(word.text).partition("=")
        yield name, value, word.start


def _label(look: Look, step: Instruction) -> Iterator[Finding]:
    for name, value, start in _pairs(step):
        if _VARYING.search(name.lower()) or "$" in value:
            why = "is told by a variable" if "$" in value else "is another one for every build"
            yield look.at(codes.VARYING, start, f"the label {name} {why}", "keep labels to what the files themselves say: title, source")


def _variable(look: Look, step: Instruction) -> Iterator[Finding]:
    for name, value, start in _pairs(step):
        # An ARG without a default is named for what it is given: its name alone tells.
        if reason := looks_secret(name, value or ("(given)" if step.name == "ARG" else "")):
            yield look.at(codes.SECRET, start, f"{step.name} {name} looks like a secret: {reason}", "use `RUN --mount=type=secret,id=...`")


def _from(look: Look, step: Instruction) -> Iterator[Finding]:
    if look.last and step.words and re.search(r":[\w.-]*-devel\b", step.words[0].text):
        yield look.at(codes.COMPILER, step.words[0].start, f"{step.words[0].text} has compilers", "use the one without `-devel`")


def _run(look: Look, step: Instruction) -> Iterator[Finding]:
    found = commands(step)
    apt = [command for command in found if command.name in ("apt", "apt-get", "aptitude") and command.plain]
    yield from _apt(look, step, apt)
    for command in found:
        if _installs_unhashed(command):
            fix = "install `-r requirements.txt` with `--require-hashes`; a package of the context with `--no-index --no-deps`"
            yield look.at(codes.UNHASHED, command.start, f"`{' '.join(command.words)[:80]}` checks no hashes", fix)


def _apt(look: Look, step: Instruction, apt: list[Command]) -> Iterator[Finding]:
    clean = "/var/lib/apt/lists" in step.rest or any("/var/lib/apt" in mount.text for mount in step.all_flags("mount"))
    if look.last and apt and not clean:
        yield look.at(codes.APT_LEFT, apt[0].start, "apt's lists stay in the image", "end this RUN with `&& rm -rf /var/lib/apt/lists/*`")
    gone = {word for command in apt if command.plain[0] in ("purge", "remove", "autoremove") for word in command.plain[1:]}
    for command in apt:
        verb, *packages = command.plain
        if verb in ("upgrade", "dist-upgrade", "full-upgrade") and look.on_fleet:
            yield look.at(
                codes.UPGRADE, command.start, f"apt-get {verb} in an image that starts from one of the fleet", "leave it to the base"
            )
        for package in packages if verb == "install" else ():
            yield from _package(look, command, package.partition("=")[0], gone)


def _package(look: Look, command: Command, package: str, gone: set[str]) -> Iterator[Finding]:
    if look.last and package not in gone and _COMPILER.match(package):
        yield look.at(
            codes.COMPILER, command.start, f"{package} stays in the image", "install it in a stage of its own, or purge it in this RUN"
        )
    if (python := _PYTHON_PACKAGE.match(package)) and not python[2] and (end := ended(f"Python {python[1]}", look.today)):
        message = f"{package}: Python {python[1]} had its last upstream fix on {end}; what comes now comes from the distribution alone"
        yield look.at(codes.PAST_END, command.start, message, "move to a distribution with a newer Python")


def _installs_unhashed(command: Command) -> bool:
    words = command.words
    if re.match(r"^python[\d.]*$", command.name) and words[1:3] and "-m" in words:
        words = words[words.index("-m") + 1 :]
    if words and words[0].rpartition("/")[2] == "uv" and words[1:2] == ("pip",):
        words = words[1:]
    if not words or not _PIP.match(words[0].rpartition("/")[2]) or "install" not in words:
        return False
    return "--require-hashes" not in words and not {"--no-index", "--no-deps"} <= set(words)


_RULES: dict[str, Callable[[Look, Instruction], Iterator[Finding]]] = {
    "ADD": _add,
    "ARG": _variable,
    "ENV": _variable,
    "FROM": _from,
    "LABEL": _label,
    "RUN": _run,
}
