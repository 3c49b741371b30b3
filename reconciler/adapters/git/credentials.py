"""Credentials: read anew from the folder that a Secret is mounted at, given to git by its environment alone, struck out of all it says."""

from __future__ import annotations

import base64
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path

from reconciler.adapters.git.address import Address
from reconciler.model.value import dataclass
from reconciler.ports import SourceUnavailable

USERNAME, PASSWORD, TOKEN = "username", "password", "token"
SSH_KEY, KNOWN_HOSTS, AUTHORITY = "ssh-privatekey", "known_hosts", "ca.crt"
"""Keys of a Secret: those of `kubernetes.io/basic-auth` and `kubernetes.io/ssh-auth`, and what has no type of its own."""

_MAX = 1 << 16
_SSH = (
    "ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "GlobalKnownHostsFile=/dev/null",
    "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "ConnectTimeout=20", "-o", "ForwardAgent=no", "-o", "LogLevel=ERROR",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Credentials:
    """What git is given for one repository."""

    settings: tuple[tuple[str, str], ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def struck(self, text: str) -> str:
        """The text without the secrets, which a server may send back."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


@contextmanager
def credentials(mounted: Path | None, address: Address) -> Iterator[Credentials]:
    """Credentials as they are now; files that ssh needs are there until the end. Raises SourceUnavailable."""
    held = Path(tempfile.mkdtemp(prefix="fleet-git-")) if address.scheme == "ssh" else None
    try:
        yield _over_ssh(_Mount(mounted), address, held) if held else _over_http(_Mount(mounted), address)
    finally:
        if held:
            shutil.rmtree(held, ignore_errors=True)


class _Mount:
    """The folder, which may be missing: then there are no credentials."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        if folder and not folder.is_dir():
            raise SourceUnavailable(f"there is no folder {folder} with credentials", "mount the Secret there")

    def bytes(self, key: str) -> bytes:
        file = self.folder / key if self.folder else None
        if file is None or not file.exists():
            return b""
        try:
            with file.open("rb") as opened:
                data = opened.read(_MAX + 1)
        except OSError as fault:
            raise SourceUnavailable(f"the key {key} of the credentials cannot be read: {fault.strerror}") from None
        if len(data) > _MAX:
            raise SourceUnavailable(f"the key {key} of the credentials is larger than 64 KiB", "put the right file into the Secret")
        return data

    def line(self, key: str) -> str:
        """A value of one line; the line end that editors add is no part of it."""
        try:
            text = self.bytes(key).decode().rstrip("\r\n")
        except UnicodeDecodeError:
            text = "\0"
        if not text.isprintable():
            raise SourceUnavailable(f"the key {key} of the credentials is not one line of text", "write it into the Secret again")
        return text


def _over_http(mount: _Mount, address: Address) -> Credentials:
    settings: list[tuple[str, str]] = []
    secrets: tuple[str, ...] = ()
    username, password, token = (mount.line(key) for key in (USERNAME, PASSWORD, TOKEN))
    if token:
        secrets = (token,)
        settings.append((f"http.{address.origin}/.extraHeader", f"Authorization: Bearer {token}"))
    elif password:
        if ":" in username:
            raise SourceUnavailable("the user name of the credentials holds a colon", "write it into the Secret again")
        basic = base64.b64encode(f"{username or 'git'}:{password}".encode()).decode()
        secrets = (basic, password)
        settings.append((f"http.{address.origin}/.extraHeader", f"Authorization: Basic {basic}"))
    elif address.scheme != "file" and mount.bytes(SSH_KEY):
        raise SourceUnavailable("the credentials hold an ssh key, and the URL is not one of ssh", f"follow ssh://git@{address.host}/PATH")
    if mount.folder and mount.bytes(AUTHORITY):
        settings.append(("http.sslCAInfo", str((mount.folder / AUTHORITY).absolute())))
    return Credentials(tuple(settings), {}, secrets)


def _over_ssh(mount: _Mount, address: Address, held: Path) -> Credentials:
    """Ssh wants files that nobody else can read, and a Secret may be mounted otherwise."""
    key, hosts = mount.bytes(SSH_KEY), mount.bytes(KNOWN_HOSTS)
    if not key:
        raise SourceUnavailable(f"the credentials hold no key {SSH_KEY}", "put the private key into the Secret")
    if not hosts:
        raise SourceUnavailable(
            f"the credentials hold no {KNOWN_HOSTS}: who answers could be anybody",
            f"ssh-keyscan {address.host.partition(':')[0]}, compare with what its owner publishes, and put it into the Secret",
        )
    for name, data in ((SSH_KEY, key), (KNOWN_HOSTS, hosts)):
        file = held / name
        file.touch(mode=0o600)
        file.write_bytes(data.rstrip(b"\r\n") + b"\n")
    command = (*_SSH, "-o", f"UserKnownHostsFile={held / KNOWN_HOSTS}", "-i", str(held / SSH_KEY))
    return Credentials((), {"GIT_SSH_COMMAND": shlex.join(command), "GIT_SSH_VARIANT": "ssh"})
