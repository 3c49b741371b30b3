"""Builds with a Dagger engine."""

from pipelines.adapters.engine.address import inert_cache
from pipelines.adapters.engine.builder import Credential, DaggerBuilder

__all__ = ["Credential", "DaggerBuilder", "inert_cache"]
