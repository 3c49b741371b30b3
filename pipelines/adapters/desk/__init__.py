"""Folders to work in: contexts with exactly the files that count, and empty ones."""

from pipelines.adapters.desk.context import ContextRefused, materialise
from pipelines.adapters.desk.desk import WorkDesk

__all__ = ["ContextRefused", "WorkDesk", "materialise"]
