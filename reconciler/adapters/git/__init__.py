"""A git repository: reads any revision without touching the work tree, and commits edits one at a time."""

from reconciler.adapters.git.repository import Repository

__all__ = ["Repository"]
