"""What went wrong in a build, in words: which step, and the end of what it printed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipelines.core.dated import Dated, dated, instructions
from pipelines.ports import BuilderMissing, BuildFailed

_LINE = re.compile(r"(Dockerfile parse error on line |Dockerfile:|on line )(\d+)")
_INSIDES = re.compile(r"load [A-Za-z]+@[A-Za-z0-9+/=_-]+: |load xxh3:[0-9a-f]+: |inputs: | \[traceparent:[0-9a-f-]+\]")
"""Names of the engine's own objects; the long ones hold the whole build in base64."""
_WRAPPING = re.compile(
    r"^(?:failed to (?:convert Dockerfile(?: to LLB| LLB to Dagger ID)|load container from converted ID|content hash dockerfile copy): )+"
)
_FLAGS = re.compile(r"^(?:--\S+\s+)+")
KEPT = 60
"""Lines of what a step printed that go into a message's log."""


def told(name: str, dockerfile: str, fault: BaseException) -> BaseException:
    """What a fault is called: the SDK's own by what the engine says of them."""
    if isinstance(fault, BuildFailed) or not isinstance(fault, Exception):
        return fault
    import dagger

    match fault:
        case dagger.ExecError():
            return failed_step(name, dockerfile, fault.command, fault.exit_code, fault.stderr or fault.stdout)
        case dagger.QueryError():
            return refused(name, dated(dockerfile), str(fault))
        case dagger.DaggerError():
            return BuilderMissing(f"{name}: the Dagger engine went away in the middle of a build: {_first(fault)}", "see the engine's log")
        case OSError():
            return BuildFailed(f"{name}: {fault}", "see that the disk has room")
    return fault


def _first(fault: Exception) -> str:
    return (str(fault).splitlines() or [type(fault).__name__])[0]


def failed_step(name: str, dockerfile: str, command: Sequence[str], code: int, said: str) -> BuildFailed:
    """A step that ended with an exit code other than 0."""
    tail = "\n".join(said.strip().splitlines()[-KEPT:])
    last = tail.splitlines()[-1] if tail else "it printed nothing"
    return BuildFailed(f"{name}: {_step(dockerfile, command)} ended with exit code {code}: {last}", log=tail)


def refused(name: str, made: Dated, words: str) -> BuildFailed:
    """The engine did not take the Dockerfile, or did not get something that it names."""
    plain = _WRAPPING.sub("", _INSIDES.sub("", words.strip()))
    text = _LINE.sub(lambda found: f"{found[1]}{made.line(int(found[2]))}", plain)
    return BuildFailed(f"{name}: {text.splitlines()[0] if text else 'the engine does not say why'}", log=text)


def _step(dockerfile: str, command: Sequence[str]) -> str:
    """`Dockerfile:7 RUN ...` where the command can be told to be that step's, else the command."""
    ran = command[-1] if len(command) == 3 and command[1] == "-c" else " ".join(command)
    wanted = _plain(ran)
    for one in instructions(dockerfile):
        if one.word == "RUN" and wanted and _plain(_FLAGS.sub("", one.rest)) == wanted:
            return f"Dockerfile:{one.first} RUN {_cut(ran)}"
    return f"RUN {_cut(ran)}"


def _plain(text: str) -> str:
    return re.sub(r"[\s\\]+", " ", text).strip()


def _cut(text: str, length: int = 80) -> str:
    line = _plain(text)
    return line if len(line) <= length else line[: length - 1] + "…"
