"""Trivy (github.com/aquasecurity/trivy), by its pinned program."""

from pipelines.adapters.trivy.program import SHA256, VERSION, find, folders
from pipelines.adapters.trivy.scanner import Settings, Trivy

__all__ = ["SHA256", "VERSION", "Settings", "Trivy", "find", "folders"]
