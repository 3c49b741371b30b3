"""Recalls what was found of exactly these files before, where that was that there is nothing to build. Everything else is found out anew."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from pipelines.adapters.answers import Answers
from pipelines.adapters.code import code
from pipelines.core.as_locked import Answer, Reads, as_locked, decode, encode, question, whole
from pipelines.shell import equipment
from reconciler.ports import SourceUnavailable

if TYPE_CHECKING:
    from pipelines.model.as_locked import AsLocked
    from pipelines.model.decision import Decided
    from pipelines.shell.matter import Matter
    from reconciler.shell.opened import Opened


class Recall:
    """One command about some images of a source in an environment."""

    def __init__(self, opened: Opened, command: str, env: str | None, names: Collection[str]) -> None:
        """`command` tells apart what different commands look at before they say that there is nothing to do."""
        self._opened = opened
        self._answers = Answers(equipment.blobs() / "answers")
        self._question = question((code(), command, env or "", *sorted(set(names))), opened.tree, opened.today)

    def found(self) -> AsLocked | None:
        """What was found; None where it is not known of these very bytes."""
        answer = decode(self._answers.get(self._question))
        if answer is None:
            return None
        source, files = self._opened.source, self._opened.tree.files
        try:
            contexts = source.contexts(answer.reads.folders)
            lock = files[answer.reads.lock] if answer.reads.lock in files else source.read(answer.reads.lock)
        except SourceUnavailable:
            return None
        return answer.found if whole(self._question, contexts, lock) == answer.whole else None

    def keep(self, matter: Matter, decided: Collection[Decided]) -> AsLocked | None:
        """What is found now, and from here on known where it is that there is nothing to build. None where something is."""
        where = matter.where
        found = as_locked(decided, matter.bases, where.name, where.registry)
        if found is not None:
            lock = matter.workspace.lock_file(where.lock)
            answer = Answer(Reads(matter.folders, where.lock), whole(self._question, matter.packed, lock), found)
            self._answers.put(self._question, encode(answer))
        return found
