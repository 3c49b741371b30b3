"""Fixtures of the commands' tests."""

from tests.pipelines.commands.scene import scene

__all__ = ["scene"]
