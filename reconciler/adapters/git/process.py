"""Running git: no shell, no prompt, no inherited repository, no endless wait."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from reconciler.ports import SourceUnavailable

READ_SECONDS = 60
WRITE_SECONDS = 600
"""A commit runs the user's hooks and may wait for a signature."""

_CONFIG = ("core.fsmonitor=false", "core.quotePath=false", "log.showSignature=false", "color.ui=false", "protocol.ext.allow=never")
_INHERITED = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
]
"""What a hook that runs us would make us read (`git rev-parse --local-env-vars`, without what carries configuration)."""
_READING = {
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
}


class GitFailed(Exception):
    """Git said no: its exit status, and what it said."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


class GitMissing(SourceUnavailable):
    """There is no git to run."""


class Git:
    """Git in one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, *arguments: str, stdin: bytes = b"", seconds: float = READ_SECONDS) -> bytes:
        """What a command prints that changes nothing. Raises GitFailed; SourceUnavailable where git cannot run at all."""
        return self._reading(arguments).answer(stdin, seconds)

    def read_together(self, *commands: Sequence[str], seconds: float = READ_SECONDS) -> tuple[bytes, ...]:
        """What several such commands print, run side by side. Raises as `read` does, of the first that failed."""
        with ExitStack() as unanswered:
            asked = [unanswered.enter_context(closing(self._reading(command))) for command in commands]
            return tuple(one.answer(b"", seconds) for one in asked)

    def write(self, *arguments: str, stdin: bytes = b"", seconds: float = WRITE_SECONDS) -> bytes:
        """Run a command that changes the repository, with the user's own settings, hooks and terminal. Raises as `read` does."""
        return _Running(self.root, ["-c", "protocol.ext.allow=never", *arguments], {}, alone=False).answer(stdin, seconds)

    def _reading(self, arguments: Sequence[str]) -> _Running:
        options = [part for setting in _CONFIG for part in ("-c", setting)]
        return _Running(self.root, [*options, *arguments], _READING, alone=True)


class _Running:
    """Git at work. `alone` gives it a session of its own."""

    def __init__(self, root: Path, arguments: list[str], settings: dict[str, str], *, alone: bool) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in _INHERITED}
        environment |= {"GIT_TERMINAL_PROMPT": "0", **settings}
        self._arguments, self._alone = arguments, alone
        try:
            self._child = subprocess.Popen(  # noqa: S603 - a list, no shell; what comes from outside is validated before
                ["git", "--no-pager", "-C", str(root), *arguments],  # noqa: S607 - the user's own git
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                start_new_session=alone,
            )
        except FileNotFoundError:
            raise GitMissing("there is no git on this machine", "install git, or leave --against and --revision out") from None

    def answer(self, stdin: bytes, seconds: float) -> bytes:
        """What it prints, once it has ended."""
        with self._child as child:
            try:
                out, said = child.communicate(stdin, timeout=seconds)
            except BaseException as fault:
                self._end()
                if isinstance(fault, subprocess.TimeoutExpired):
                    raise SourceUnavailable(f"git {_verb(self._arguments)} took longer than {seconds:.0f} s and was ended") from None
                raise
        if child.returncode:
            raise GitFailed(child.returncode, said.decode(errors="replace").strip())
        return out

    def close(self) -> None:
        """End it where nobody took its answer."""
        if self._child.returncode is None:
            self._end()
            with self._child as child:
                child.communicate()

    def _end(self) -> None:
        """End git, and where it has a session of its own everything that it started."""
        if self._alone:
            os.killpg(self._child.pid, signal.SIGKILL)
        else:
            self._child.terminate()


def _verb(arguments: list[str]) -> str:
    return next((word for before, word in zip(["", *arguments], arguments, strict=False) if before != "-c" and word != "-c"), "")
