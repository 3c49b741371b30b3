"""Progress on stderr: a bar a phase on a terminal, a line a phase elsewhere. Results never go here."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from reconciler.model.manifests import ObjectId
from reconciler.shell.aside import aside, harmless

if TYPE_CHECKING:
    from rich.progress import TaskID


class Lines:
    """One line a phase, for logs."""

    def __init__(self, suffix: str = "") -> None:
        self._suffix = suffix

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def phase(self, name: str, total: int) -> None:
        """A phase begins."""
        self._print(f"{name}: {total}{self._suffix}")

    def step(self, id: ObjectId, text: str) -> None:
        """Only what went wrong is worth a line."""
        if text not in _QUIET:
            self._print(f"  {id}: {text}")

    def say(self, text: str) -> None:
        """A sentence."""
        self._print(text)

    def _print(self, text: str) -> None:
        aside(text)


class Bars(Lines):
    """A bar a phase, by rich."""

    def __init__(self, suffix: str = "") -> None:
        super().__init__(suffix)
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._bars = Progress(
            TextColumn("{task.description}"), BarColumn(32), MofNCompleteColumn(), TimeElapsedColumn(), console=Console(stderr=True)
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()

    def phase(self, name: str, total: int) -> None:
        """A new bar."""
        self._task = self._bars.add_task(f"{name}{self._suffix}", total=total)

    def step(self, id: ObjectId, text: str) -> None:
        """One further; what went wrong is said above the bar."""
        if self._task is not None:
            self._bars.advance(self._task)
        if text not in _QUIET:
            self._bars.console.print(harmless(f"  {id}: {text}"), markup=False, highlight=False)

    def _print(self, text: str) -> None:
        self._bars.console.print(harmless(text), markup=False, highlight=False)


_QUIET = frozenset({"created", "updated", "deleted", "healthy", "accepted"})


def progress(*, simulated: bool = False, quiet: bool = False) -> Lines:
    """What fits where stderr goes."""
    suffix = " (simulated)" if simulated else ""
    return Bars(suffix) if sys.stderr.isatty() and not quiet else Lines(suffix)
