"""Keys that sign images: which are trusted, and when."""

import base64
import binascii
from datetime import date
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from reconciler.model.spec import Bool, Date, Name, Spec

_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
"""How a public key on P-256 begins as DER: SubjectPublicKeyInfo, id-ecPublicKey, prime256v1, a point that is not compressed (RFC 5480)."""
_LENGTH = 91


def _on_p256(pem: str) -> str:
    """The structure only: whether the point is on the curve is found out where signatures are checked."""
    try:
        der = base64.b64decode("".join(pem.strip().splitlines()[1:-1]), validate=True)
    except binascii.Error:
        raise ValueError("this is no public key: between its first and last line it is not base64") from None
    if len(der) != _LENGTH or not der.startswith(_P256):
        raise ValueError("this is no public key of the kind that signs images: ECDSA on P-256, as `cosign generate-key-pair` makes it")
    return pem


PublicKey = Annotated[
    str,
    Field(
        title="a public key as PEM, on lines of its own (`publicKey: |`)",
        pattern=r"^-----BEGIN PUBLIC KEY-----\r?\n([A-Za-z0-9+/=]+\r?\n)+-----END PUBLIC KEY-----(\r?\n)*$",
        max_length=1024,
    ),
    AfterValidator(_on_p256),
]


class SigningKey(Spec):
    """A key that signs images, and the days on which it counts."""

    public_key: PublicKey
    """The public part, as PEM. The private part never stands in a repository."""
    from_: Annotated[Date, Field(alias="from")]
    """The first day on which it counts."""
    until: Date
    """The last day on which it counts. After it, nothing that it signed does."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until < self.from_:
            raise ValueError(f"until {self.until} is before from {self.from_}: the key would never count")
        return self

    def counts(self, today: date) -> bool:
        """Whether it counts on a day."""
        return self.from_ <= today <= self.until


class SigningRules(Spec):
    """Who signs images, and whether that is asked for."""

    keys: dict[Name, SigningKey] = Field(default_factory=dict)
    """Trusted keys by name. While they change, both count: the old one until all builds of the lock are signed by the new one."""
    require: Bool = False
    """Builds whose signature, verdict or SBOM does not verify do not run; what runs stays. Holds with `unsafe` are let through, and told."""

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.require and not self.keys:
            raise ValueError("signatures are required and no key is trusted: nothing could ever run; name one under keys")
        return self
