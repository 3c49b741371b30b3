"""Key pairs on P-256 (NIST FIPS 186-5), the ones that cosign uses, and their PEM texts."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pipelines.adapters.keys.locked import BadKey, lock, unlock

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

_LIMIT = 64 << 10


@dataclass(frozen=True, slots=True)
class EcPublicKey:
    """A public key on P-256."""

    _key: ec.EllipticCurvePublicKey

    @property
    def fingerprint(self) -> str:
        """`sha256:<hex>` of the key as DER."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return "sha256:" + sha256(self._key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()

    @property
    def pem(self) -> str:
        """The key as text, for `fleet.yaml`."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def verifies(self, data: bytes, signature: bytes) -> bool:
        """Whether this key's owner signed exactly `data`."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        try:
            self._key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True, repr=False)
class EcPrivateKey:
    """A private key on P-256. Its representation shows nothing of it."""

    _key: ec.EllipticCurvePrivateKey

    @property
    def public(self) -> EcPublicKey:
        """The key that checks what this one signs."""
        return EcPublicKey(self._key.public_key())

    @property
    def fingerprint(self) -> str:
        """That of its public key."""
        return self.public.fingerprint

    @property
    def der(self) -> bytes:
        """The key itself (PKCS #8, DER), unlocked."""
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        return self._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, data: bytes) -> bytes:
        """The signature of `data`, ASN.1; always the same (RFC 6979), so that what was signed already is not pushed again."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        return self._key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


class KeyPair(NamedTuple):
    """A new key: the private part locked by its passphrase, both as PEM."""

    private: str
    public: str


def generate(passphrase: bytes) -> KeyPair:
    """A new key pair. The private part can be read with the passphrase only, by us and by cosign."""
    from cryptography.hazmat.primitives.asymmetric import ec

    key = EcPrivateKey(ec.generate_private_key(ec.SECP256R1()))
    return KeyPair(lock(key.der, passphrase), key.public.pem)


def public_key(pem: str) -> EcPublicKey:
    """The public key in a PEM text. Raises BadKey."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem[:_LIMIT].encode())
    except (ValueError, UnsupportedAlgorithm):
        raise BadKey("this is not a public key", "it begins with -----BEGIN PUBLIC KEY-----") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadKey(
            "this is a public key of another kind",
            "keys are ECDSA on P-256, as `cosign generate-key-pair` makes them",
        )
    return EcPublicKey(key)


def private_key(pem: bytes, passphrase: bytes) -> EcPrivateKey:
    """The private key in a PEM text: cosign's own, or PKCS #8 or SEC 1, locked or not. Raises BadKey."""
    if len(pem) > _LIMIT:
        raise BadKey("this is too long for a private key")
    if (der := unlock(pem, passphrase)) is not None:
        return _from_der(der)
    return _from_pem(pem, passphrase or None)


def read_private_key(file: Path, passphrase: bytes) -> tuple[EcPrivateKey, str]:
    """The private key in a file, and a warning (or nothing) about who else can read it. Raises BadKey."""
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            pem = opened.read(_LIMIT + 1)
    except OSError as fault:
        raise BadKey(f"{file} cannot be read: {fault.strerror}") from None
    warning = f"{file} can be read by others: chmod 600 {file}" if mode & (stat.S_IRWXG | stat.S_IRWXO) else ""
    try:
        return private_key(pem, passphrase), warning
    except BadKey as bad:
        raise BadKey(f"{file}: {bad}", bad.fix) from None


def save(pair: KeyPair, private: Path, public: Path) -> None:
    """Write a new key pair to two files that are not there yet; the private one for its owner only. Raises BadKey."""
    for file, text, mode in ((private, pair.private, 0o600), (public, pair.public, 0o644)):
        try:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode), "w") as new:
                new.write(text)
        except FileExistsError:
            raise BadKey(f"{file} is there already", "keys are never overwritten: choose another name") from None
        except OSError as fault:
            raise BadKey(f"{file} cannot be written: {fault.strerror}") from None


def _from_pem(pem: bytes, passphrase: bytes | None) -> EcPrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return _of_curve(load_pem_private_key(pem, passphrase))
    except TypeError:  # the library's word for a passphrase that is missing, or given and not needed
        if passphrase is None:
            raise BadKey("this private key is locked", "give its passphrase") from None
        return _from_pem(pem, None)
    except (ValueError, UnsupportedAlgorithm):
        raise BadKey(
            "this is not a private key, or its passphrase is wrong", "it begins with -----BEGIN and ends with PRIVATE KEY-----"
        ) from None


def _from_der(data: bytes) -> EcPrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    try:
        return _of_curve(load_der_private_key(data, None))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKey("there is no private key inside") from None


def _of_curve(key: object) -> EcPrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadKey("this is a private key of another kind", "keys are ECDSA on P-256")
    return EcPrivateKey(key)
