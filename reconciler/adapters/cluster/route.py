"""The way to a server: the proxy before it, and the TLS of both ends."""

from __future__ import annotations

import ssl
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from reconciler.adapters.cluster.credentials import Certificate
from reconciler.adapters.cluster.kubeconfig import Access
from reconciler.ports import Unreachable


class Trust:
    """The certificates that sign the server's, as they are now: those of a cluster are renewed while we run."""

    def __init__(self, access: Access) -> None:
        self._file = access.authority_file
        self.authority = access.authority

    def read_again(self) -> None:
        """Takes what the file says now; while it cannot be read, nothing changes."""
        if self._file is not None:
            with suppress(OSError):
                self.authority = self._file.read_text()


def tls_context(access: Access, authority: str | None, certificate: Certificate | None) -> ssl.SSLContext | bool:
    """How we trust the server and who we are to it; True (no matter) for plain HTTP. Raises Unreachable for certificates that are none."""
    if not access.server.startswith("https:"):
        return True
    try:
        context = ssl.create_default_context(cadata=authority)
        if access.insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if certificate is not None:
            with tempfile.TemporaryDirectory() as folder:
                both = Path(folder, "client.pem")
                both.touch(mode=0o600)
                both.write_text(certificate.certificate + "\n" + certificate.key)
                context.load_cert_chain(both)
    except (ssl.SSLError, ValueError):
        raise Unreachable(
            "the kubeconfig's certificates are not valid PEM, or do not match their key", "`kubectl config view` says more"
        ) from None
    return context


def proxy(server: str) -> str | None:
    """The proxy that the environment names for this server, as kubectl takes it."""
    parts = urlsplit(server)
    return None if not parts.hostname or proxy_bypass(parts.hostname) else getproxies().get(parts.scheme)
