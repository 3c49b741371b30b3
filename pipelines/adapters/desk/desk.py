"""The desk: folders below one, gone when they are not needed any more."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath

from pipelines.adapters.desk.context import materialise
from pipelines.model.context import ContextItem


class WorkDesk:
    """The port Desk. Its folders lie beside the blobs, so that layouts can be hard-linked out of those."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def context(self, files: Mapping[str, ContextItem], source_date: int) -> Iterator[PurePath]:
        """A folder with exactly these files. Raises ContextRefused, BuildFailed."""
        with self.scratch("context") as folder:
            into = Path(folder) / "context"
            materialise(files, into, source_date)
            yield into

    @contextmanager
    def scratch(self, name: str) -> Iterator[PurePath]:
        """An empty folder."""
        self._root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=self._root, prefix=f"{re.sub(r'[^a-z0-9-]', '-', name)[:40]}-", ignore_cleanup_errors=True
        ) as folder:
            yield Path(folder)
