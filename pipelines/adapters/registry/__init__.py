"""Any OCI registry, over the distribution specification 1.1."""

from pipelines.adapters.registry.credentials import AuthFiles, KnownLogins, auth_files
from pipelines.adapters.registry.registry import OciRegistry
from pipelines.adapters.registry.settings import Login, Logins, Pace, Settings

__all__ = ["AuthFiles", "KnownLogins", "Login", "Logins", "OciRegistry", "Pace", "Settings", "auth_files"]
