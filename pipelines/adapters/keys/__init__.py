"""Keys that sign images: made, read from PEM, used. The one door to `cryptography` and to `nacl`."""

from pipelines.adapters.keys.locked import BadKey
from pipelines.adapters.keys.pairs import EcPrivateKey, EcPublicKey, KeyPair, generate, private_key, public_key, read_private_key, save

__all__ = ["BadKey", "EcPrivateKey", "EcPublicKey", "KeyPair", "generate", "private_key", "public_key", "read_private_key", "save"]
