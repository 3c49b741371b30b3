"""Verify what a lock names: the manifest, its signature, the gate's verdict and the SBOM, each as the registry has it today."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from pipelines.core.attestation import pae, read_envelope, read_statement, verdict_claim
from pipelines.core.signature import (
    KEY,
    PREDICATE_TYPE,
    STATEMENT,
    attestation_tag,
    read_layers,
    signature_of,
    signature_tag,
    signed_digest,
)
from pipelines.core.tally import digest_of
from pipelines.flow.each import each
from pipelines.flow.trusted import Signature, Trusted, signer
from pipelines.model.oci import Descriptor, Repository
from pipelines.model.trust import (
    CYCLONEDX,
    DSSE,
    SIMPLE_SIGNING,
    VERDICT,
    Absent,
    Early,
    Expired,
    Malformed,
    OtherDigest,
    Refused,
    Subject,
    Tampered,
    Unattested,
    Unchecked,
    Unsigned,
    VerdictClaim,
    Verification,
    Verified,
    WrongKey,
)
from pipelines.ports import Registry, RegistryFault, WrongDigest

TOGETHER = 8
"""Images that are verified at the same time."""
_PAYLOAD, _VERDICT = 1 << 20, 16 << 20
"""Bytes that are read of a signature's payload, and of a verdict with all of its vulnerabilities."""
_GONE = 404
_MOST = 20
"""SBOMs of one image that are looked at."""
_WORTH = (Expired, Early, OtherDigest, Tampered, WrongKey, Unattested, Unsigned)
"""Of several signatures, none of them good, the one that tells most."""


async def verify(
    registry: Registry, subjects: Iterable[Subject], keys: Sequence[Trusted], today: date, together: int = TOGETHER
) -> Mapping[Subject, Verification]:
    """What is to be said of each subject. Never raises for what a registry does: no answer is Unchecked."""
    check = _Check(registry, keys, today)
    asked = tuple(dict.fromkeys(subjects))
    return dict(zip(asked, await each(asked, check.subject, together), strict=True))


class _Failed(Exception):
    """A check that did not go well; the others need not be made."""

    def __init__(self, finding: Verification) -> None:
        super().__init__()
        self.finding = finding


class _Check:
    """The checks of one subject after the other, by the same keys on the same day."""

    def __init__(self, registry: Registry, keys: Sequence[Trusted], today: date) -> None:
        self._registry = registry
        self._keys = keys
        self._today = today

    async def subject(self, subject: Subject) -> Verification:
        """All checks of a subject."""
        try:
            if await self._registry.manifest(subject.at.repository, subject.at.digest) is None:
                return Absent()
            key = await self._signature(subject)
            claim = await self._verdict(subject)
            await self._sbom(subject, claim)
        except _Failed as failed:
            return failed.finding
        except WrongDigest as fault:
            return Tampered(str(fault))
        except RegistryFault as fault:
            return Unchecked(str(fault))
        return Verified(key.name, claim)

    async def _signature(self, subject: Subject) -> Trusted:
        """Whose signature the manifest has."""
        failures: list[Verification] = [Unsigned()]
        for layer in await self._layers(subject.at.repository, signature_tag(subject.at.digest), SIMPLE_SIGNING):
            try:
                data = await self._blob(subject.at.repository, layer, _PAYLOAD)
                made = Signature("signature", data, signature_of(layer), layer.annotations.get(KEY, ""))
                by = signer(self._keys, self._today, made)
                about = signed_digest(data)
            except Malformed as bad:
                failures.append(Tampered(str(bad)))
                continue
            if not isinstance(by, Trusted):
                failures.append(by)
            elif about != subject.at.digest:
                failures.append(OtherDigest("signature", about))
            else:
                return by
        raise _Failed(_telling(failures))

    async def _verdict(self, subject: Subject) -> VerdictClaim:
        """The verdict that the lock names; where it names none, the one of the newest database."""
        failures: list[Verification] = []
        claims: list[VerdictClaim] = []
        for layer in await self._layers(subject.at.repository, attestation_tag(subject.at.digest), DSSE):
            if layer.annotations.get(PREDICATE_TYPE, VERDICT) != VERDICT:
                continue
            if subject.verdict and layer.annotations.get(STATEMENT, subject.verdict) != subject.verdict:
                continue
            try:
                found = self._claim(subject, await self._blob(subject.at.repository, layer, _VERDICT))
            except Malformed as bad:
                found = Tampered(str(bad))
            if isinstance(found, VerdictClaim):
                claims.append(found)
            else:
                failures.append(found)
        if not claims:
            raise _Failed(_telling(failures or [Unattested("the gate's verdict")]))
        claim = max(claims, key=lambda one: one.database)
        if not claim.passed:
            raise _Failed(Refused(claim))
        return claim

    def _claim(self, subject: Subject, data: bytes) -> VerdictClaim | Verification:
        """What an attestation says of the subject, if it is a verdict that a trusted key signed. Raises Malformed."""
        held = read_envelope(data)
        signed = pae(held.payload_type, held.payload)
        made = [signer(self._keys, self._today, Signature("verdict", signed, one, hint)) for hint, one in held.signatures]
        if not any(isinstance(one, Trusted) for one in made):
            return _telling([*(one for one in made if not isinstance(one, Trusted)), Unattested("the gate's verdict")])
        said = read_statement(held.payload)
        if said.predicate_type != VERDICT or (subject.verdict and digest_of(held.payload) != subject.verdict):
            return Unattested("the gate's verdict that the lock names" if subject.verdict else "the gate's verdict")
        claim = verdict_claim(said)
        if subject.at.digest not in said.subjects or claim.digest != subject.at.digest:
            return OtherDigest("verdict", claim.digest)
        return claim

    async def _sbom(self, subject: Subject, claim: VerdictClaim) -> None:
        """The SBOM that was judged must be attached, and be the one that the lock names."""
        if subject.sbom and claim.sbom != subject.sbom:
            raise _Failed(Tampered("the lock names another SBOM than the one that was judged"))
        repository = subject.at.repository
        listed = [one for one in await self._registry.referrers(repository, subject.at.digest) if one.artifact_type == CYCLONEDX]
        for one in listed[:_MOST]:
            if claim.sbom in await self._named(repository, one.digest) and await self._registry.has_blob(repository, claim.sbom):
                return
        raise _Failed(Unattested("the SBOM that was judged"))

    async def _named(self, repository: Repository, reference: str) -> frozenset[str]:
        """The digests of the layers of a manifest; none of one that cannot be read."""
        document = await self._registry.manifest(repository, reference)
        try:
            return frozenset(layer.digest for layer in read_layers(document)) if document else frozenset()
        except Malformed:
            return frozenset()

    async def _layers(self, repository: Repository, tag: str, media_type: str) -> list[Descriptor]:
        document = await self._registry.manifest(repository, tag)
        try:
            return [layer for layer in read_layers(document) if layer.media_type == media_type] if document else []
        except Malformed as bad:
            raise _Failed(Tampered(str(bad))) from None

    async def _blob(self, repository: Repository, layer: Descriptor, limit: int) -> bytes:
        """The bytes of a layer. Raises Malformed for one that is too large, or gone."""
        if layer.size > limit:
            raise Malformed(f"{layer.digest[:19]} is larger than {limit >> 10} KiB")
        try:
            return b"".join([chunk async for chunk in self._registry.blob(repository, layer)])
        except RegistryFault as fault:
            if fault.status == _GONE:
                raise Malformed(f"{layer.digest[:19]} is named there and gone") from None
            raise


def _telling(failures: Sequence[Verification]) -> Verification:
    """The failure that tells most."""
    return min(failures, key=lambda one: _WORTH.index(type(one)) if type(one) in _WORTH else len(_WORTH))
