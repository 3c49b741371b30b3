"""The keys and certificates of one cluster, by openssl: an authority, a certificate for the server, one for an administrator."""

import subprocess
from pathlib import Path

DAYS = "3650"
NAMES = "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc"


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def new_key(folder: Path, name: str) -> None:
    openssl(folder, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")
    (folder / f"{name}.key").chmod(0o600)


def issue(folder: Path, name: str, subject: str, extensions: str) -> None:
    """Writes NAME.key and NAME.crt, signed by the authority of the folder."""
    new_key(folder, name)
    (folder / f"{name}.ext").write_text(extensions)
    openssl(folder, "req", "-new", "-key", f"{name}.key", "-subj", subject, "-out", f"{name}.csr")
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", DAYS, "-extfile", f"{name}.ext", "-out", f"{name}.crt")  # fmt: skip


def issue_all(folder: Path) -> None:
    """Fills the folder once: ca, server and admin (of the group system:masters), and sa, the key that signs service accounts."""
    if (folder / "complete").exists():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    new_key(folder, "ca")
    openssl(folder, "req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=fleet trial authority", "-days", DAYS, "-out", "ca.crt")
    issue(folder, "server", "/CN=127.0.0.1", f"{NAMES}\nextendedKeyUsage=serverAuth\n")
    issue(folder, "admin", "/O=system:masters/CN=admin", "extendedKeyUsage=clientAuth\n")
    new_key(folder, "sa")
    (folder / "complete").touch()
