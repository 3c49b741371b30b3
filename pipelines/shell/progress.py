"""Progress of builds: a live table on a terminal, plain lines elsewhere, and one log a image."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from pipelines.core.visible import visible
from pipelines.model.outcome import Outcome
from pipelines.shell.told import about, line, word

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table


class Lines:
    """The port Watcher for logs and pipes: a line whenever something happens. Whatever a builder prints goes to a file for each image."""

    def __init__(self, logs: Path, *, verbose: bool) -> None:
        self._logs, self._verbose = logs, verbose
        self._files: dict[str, TextIO] = {}
        self._began: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        for file in self._files.values():
            file.close()

    def phase(self, image: str, phase: str) -> None:
        """Tells it, unless it goes by in no time."""
        self._began.setdefault(image, time.monotonic())
        if phase in ("build", "put together", "mirror", "try"):
            self._say(f"{image}: {phase}")

    def line(self, image: str, text: str) -> None:
        """Into the image's log."""
        with suppress(OSError):  # a log that cannot be written stops no build
            if image not in self._files:
                self._logs.mkdir(parents=True, exist_ok=True)
                self._files[image] = (self._logs / log_name(image)).open("w")
            self._files[image].write(visible(text, 10_000) + "\n")
        if self._verbose:
            self._say(f"{image} | {visible(text, 2_000)}")

    def done(self, image: str, outcome: Outcome) -> None:
        """Tells it."""
        self._say(line(image, outcome))

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class Board(Lines):
    """The same on a terminal: a table of all images, in which phases and times go on."""

    def __init__(self, logs: Path, waves: Iterable[Iterable[str]]) -> None:
        super().__init__(logs, verbose=False)
        self._waves = [list(wave) for wave in waves]
        self._phases: dict[str, str] = {}
        self._ended: dict[str, tuple[float, Outcome]] = {}
        self._live: Live | None = None

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(get_renderable=self._table, console=Console(stderr=True), refresh_per_second=4)
        self._live.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.__exit__(kind, fault, trace)
        super().__exit__(kind, fault, trace)

    def phase(self, image: str, phase: str) -> None:
        """Shows it."""
        self._began.setdefault(image, time.monotonic())
        self._phases[image] = phase

    def done(self, image: str, outcome: Outcome) -> None:
        """Shows it."""
        self._ended[image] = (time.monotonic() - self._began.get(image, time.monotonic()), outcome)

    def _say(self, text: str) -> None:
        if self._live is not None:
            self._live.console.print(text, markup=False, highlight=False)

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, show_header=False)
        for number, wave in enumerate([*self._waves, [name for name in self._phases if not any(name in wave for wave in self._waves)]]):
            for name in wave:
                seconds, outcome = self._ended.get(name, (time.monotonic() - self._began[name] if name in self._began else 0.0, None))
                state = word(outcome) if outcome else self._phases.get(name, "waits")
                rest = about(outcome) if outcome else ""
                shown = f"{seconds:6.1f} s" if name in self._began else ""
                table.add_row(f"{number}", Text(visible(name)), state, shown, Text(visible(rest, 200), overflow="ellipsis", no_wrap=True))
        return table


def log_name(image: str) -> str:
    """The file of an image's log."""
    return "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in image)[:100] + ".log"
