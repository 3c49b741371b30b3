"""What is found of a build that the lock names: each thing that can be wrong with it is a result of its own."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import date

import orjson
import pytest

from pipelines.adapters.keys import public_key
from pipelines.core.attestation import attestation_layer, envelope, pae, statement, verdict_statement
from pipelines.core.signature import STATEMENT, attestation_tag, holder, payload, signature_layer, signature_tag
from pipelines.core.subjects import subjects
from pipelines.core.tally import digest_of
from pipelines.flow.build import papers
from pipelines.flow.sign import sign, sign_locked
from pipelines.flow.trusted import trusted as trusted_keys
from pipelines.flow.verify import verify
from pipelines.model.oci import Pinned
from pipelines.model.trust import (
    CYCLONEDX,
    IN_TOTO,
    PROVENANCE,
    VERDICT,
    Absent,
    Early,
    Expired,
    OtherDigest,
    Refused,
    Subject,
    Tampered,
    Unattested,
    Unchecked,
    Unsigned,
    Verified,
    WrongKey,
)
from pipelines.ports import Denied, RegistryFault, Unreachable
from reconciler.model.lock import Build, Builds, Lock
from reconciler.model.signing import SigningKey, SigningRules
from tests.pipelines.signing.scene import SBOM, TODAY, attach_sbom, edited, found, key, signed, trusted, verdict
from tests.pipelines.signing.shelf import HOME, Shelf


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


async def test_signed_and_attested_is_verified(shelf):
    result = await found(shelf, await signed(shelf))
    assert isinstance(result, Verified)
    assert (result.key, result.verdict.passed, result.verdict.scanner) == ("release", True, "trivy 0.76.0")


async def test_what_the_lock_leaves_open_is_taken_from_the_newest_verdict(shelf):
    subject = await signed(shelf)
    worse = verdict(passed=False, database="2026-11-22T06:00:00Z", counts={"fails": {"CRITICAL": 1}})
    await sign(shelf, subject.at, [verdict_statement(subject.at, digest_of(SBOM), worse)], key("release"))
    assert isinstance(await found(shelf, subject), Verified)
    open_one = replace(subject, verdict="", sbom="")
    assert isinstance(await found(shelf, open_one), Refused)


async def test_a_refused_build_is_no_pass_however_well_it_is_signed(shelf):
    result = await found(shelf, await signed(shelf, passed=False, counts={"fails": {"CRITICAL": 2}}))
    assert isinstance(result, Refused)
    assert result.verdict.counts == {"fails": {"CRITICAL": 2}}


async def test_a_manifest_that_is_gone_is_absent(shelf):
    subject = await signed(shelf)
    await shelf.delete(HOME, subject.at.digest)
    assert await found(shelf, subject) == Absent()


async def test_another_manifest_under_the_digest_is_tampered(shelf):
    subject = await signed(shelf)
    shelf.forge(subject.at.digest, b"{}")
    assert isinstance(await found(shelf, subject), Tampered)


async def test_without_a_signature_it_is_unsigned(shelf):
    subject = await signed(shelf)
    await shelf.delete(HOME, signature_tag(subject.at.digest))
    assert await found(shelf, subject) == Unsigned()


async def test_a_signature_of_another_kind_is_none(shelf):
    subject = await signed(shelf)
    edited(shelf, signature_tag(subject.at.digest), mediaType="application/vnd.cncf.notary.signature")
    assert await found(shelf, subject) == Unsigned()


async def test_a_key_that_nobody_trusts_is_the_wrong_key(shelf):
    assert await found(shelf, await signed(shelf, by="stranger")) == WrongKey("signature")


async def test_no_key_at_all_trusts_nobody(shelf):
    subject = await signed(shelf)
    assert (await verify(shelf, [subject], (), TODAY))[subject] == WrongKey("signature")


@pytest.mark.parametrize(
    ("today", "result"),
    [
        (date(2025, 12, 31), Early("release", date(2026, 1, 1))),
        (date(2026, 1, 1), None),
        (date(2026, 12, 31), None),
        (date(2027, 1, 1), Expired("release", date(2026, 12, 31))),
    ],
)
async def test_a_key_counts_from_its_first_day_to_its_last(shelf, today, result):
    got = await found(shelf, await signed(shelf), today=today)
    assert isinstance(got, Verified) if result is None else got == result


async def test_while_keys_change_either_signature_will_do(shelf):
    subject = await signed(shelf, by="old")
    old, new = trusted("old", until=date(2026, 11, 20)), trusted("new")
    assert await found(shelf, subject, old, new) == Expired("old", date(2026, 11, 20))
    await sign(shelf, subject.at, [verdict_statement(subject.at, digest_of(SBOM), verdict())], key("new"))
    result = await found(shelf, subject, old, new)
    assert isinstance(result, Verified)
    assert result.key == "new"
    assert isinstance(await found(shelf, subject, trusted("old")), Verified)


async def test_a_key_listed_twice_counts_on_the_days_of_both(shelf):
    subject = await signed(shelf)
    past, present = trusted("release", until=date(2026, 2, 1)), replace(trusted("release", since=date(2026, 6, 1)), name="again")
    result = await found(shelf, subject, past, present)
    assert isinstance(result, Verified)
    assert result.key == "again"


async def test_a_signature_copied_from_another_image_is_told_as_that(shelf):
    subject, other = await signed(shelf), await signed(shelf, "other")
    shelf.forged[signature_tag(subject.at.digest)] = shelf.at(signature_tag(other.at.digest))
    assert await found(shelf, subject) == OtherDigest("signature", other.at.digest)


async def test_a_verdict_copied_from_another_image_is_told_as_that(shelf):
    subject, other = await signed(shelf), await signed(shelf, "other")
    shelf.forged[attestation_tag(subject.at.digest)] = shelf.at(attestation_tag(other.at.digest))
    assert await found(shelf, replace(subject, verdict="")) == OtherDigest("verdict", other.at.digest)
    assert await found(shelf, subject) == Unattested("the gate's verdict")


async def test_an_altered_payload_is_tampered(shelf):
    subject, other = await signed(shelf), shelf.image("evil")
    said = payload(HOME, other.digest)
    shelf.lay(said)
    edited(shelf, signature_tag(subject.at.digest), digest=digest_of(said), size=len(said))
    assert await found(shelf, subject) == Tampered("the signature is not what a trusted key signed")


async def test_a_blob_that_is_not_its_digest_is_tampered(shelf):
    subject = await signed(shelf)
    shelf.blobs[digest_of(payload(HOME, subject.at.digest))] = b"something else"
    assert isinstance(await found(shelf, subject), Tampered)


@pytest.mark.parametrize("tag", [signature_tag, attestation_tag])
async def test_a_blob_that_is_gone_is_no_pass(shelf, tag):
    subject = await signed(shelf)
    del shelf.blobs[orjson.loads(shelf.at(tag(subject.at.digest)).body)["layers"][0]["digest"]]
    result = await found(shelf, subject)
    assert isinstance(result, Tampered)
    assert result.what.endswith("is named there and gone")


async def test_without_an_attestation_it_is_unattested(shelf):
    subject = await signed(shelf)
    await shelf.delete(HOME, attestation_tag(subject.at.digest))
    assert await found(shelf, subject) == Unattested("the gate's verdict")


async def test_an_attestation_of_another_kind_is_no_verdict(shelf):
    image = shelf.image("web")
    await sign(shelf, image, [statement(image, PROVENANCE, verdict(digest=image.digest, sbom=digest_of(SBOM)))], key("release"))
    assert await found(shelf, Subject("web", image)) == Unattested("the gate's verdict")
    tag = attestation_tag(image.digest)
    edited(shelf, tag, annotations={**orjson.loads(shelf.at(tag).body)["layers"][0]["annotations"], "predicateType": VERDICT})
    assert await found(shelf, Subject("web", image)) == Unattested("the gate's verdict")


async def test_a_verdict_that_a_stranger_signed_does_not_count(shelf):
    image = shelf.image("web")
    await attach_sbom(shelf, image)
    said = verdict_statement(image, digest_of(SBOM), verdict())
    await sign(shelf, image, [], key("release"))
    await sign(shelf, image, [said], key("stranger"))
    assert await found(shelf, Subject("web", image)) == WrongKey("verdict")


async def test_an_altered_verdict_is_tampered(shelf):
    subject = await signed(shelf, passed=False)
    better = verdict_statement(subject.at, digest_of(SBOM), verdict())
    signature = key("release").sign(pae(IN_TOTO, verdict_statement(subject.at, digest_of(SBOM), verdict(passed=False))))
    await put(shelf, subject.at, better, envelope(better, key("release").fingerprint, signature))
    assert await found(shelf, replace(subject, verdict="")) == Tampered("the verdict is not what a trusted key signed")


async def test_a_verdict_is_the_one_that_the_lock_names(shelf):
    subject = await signed(shelf)
    assert await found(shelf, replace(subject, verdict=digest_of(b"another"))) == Unattested("the gate's verdict")


async def test_a_verdict_that_only_calls_itself_the_one_that_the_lock_names_is_another(shelf):
    subject = replace(await signed(shelf), verdict=digest_of(b"another"))
    notes = orjson.loads(shelf.at(attestation_tag(subject.at.digest)).body)["layers"][0]["annotations"]
    edited(shelf, attestation_tag(subject.at.digest), annotations={**notes, STATEMENT: subject.verdict})
    assert await found(shelf, subject) == Unattested("the gate's verdict that the lock names")


async def test_everything_in_a_lock_is_verified_by_the_keys_of_the_fleet(shelf):
    subject = await signed(shelf)
    other = shelf.image("other")
    builds = Build(subject.at.digest, "v2", "", TODAY, subject.verdict, subject.sbom), Build(other.digest, "v1", "", TODAY)
    rules = SigningRules(keys={"r": SigningKey(public_key=key("release").public.pem, from_=TODAY, until=TODAY)})
    asked = subjects(Lock({"web": Builds(builds[0], builds), "api": Builds(builds[1], builds[1:])}), "registry.test/acme", ["web"])
    results = await verify(shelf, asked, trusted_keys(rules, public_key), TODAY)
    assert [(one.image, one.at.repository, type(result)) for one, result in results.items()] == [
        ("web", HOME, Verified),
        ("web", HOME, Unsigned),
    ]


async def test_without_its_sbom_it_is_unattested(shelf):
    subject = await signed(shelf)
    (sbom,) = [one.digest for one in await shelf.referrers(HOME, subject.at.digest) if one.artifact_type == CYCLONEDX]
    await shelf.delete(HOME, sbom)
    assert await found(shelf, subject) == Unattested("the SBOM that was judged")


async def test_an_sbom_whose_blob_is_gone_is_not_there(shelf):
    subject = await signed(shelf)
    del shelf.blobs[digest_of(SBOM)]
    assert await found(shelf, subject) == Unattested("the SBOM that was judged")


async def test_an_sbom_that_was_not_judged_does_not_count(shelf):
    subject = await signed(shelf)
    other = b'{"bomFormat":"CycloneDX"}'
    await attach_sbom(shelf, subject.at, other)
    assert isinstance(await found(shelf, replace(subject, sbom=digest_of(other))), Tampered)


@pytest.mark.parametrize("fault", [Unreachable("cut"), Denied("no", status=403), RegistryFault("500", status=500)])
async def test_a_registry_that_does_not_answer_is_no_pass(shelf, fault):
    subject = await signed(shelf)
    shelf.fault = fault
    assert await found(shelf, subject) == Unchecked(str(fault))


HOSTILE = [b"", b"[]", b"{}", b"\xff\xfe", b'{"layers": {}}', b'{"layers": [1]}', b'{"layers": [{"digest": "../../x"}]}', b"[" * 100_000,
           b'{"layers": [{"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "digest": "sha256:' + b"0" * 64 + b'", "size": -1}]}',
           orjson.dumps({"layers": [{}] * 101})]  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE)
@pytest.mark.parametrize("tag", [signature_tag, attestation_tag])
async def test_a_hostile_manifest_is_tampered_and_nothing_worse(shelf, tag, body):
    subject = await signed(shelf)
    shelf.forge(tag(subject.at.digest), body)
    assert isinstance(await found(shelf, subject), Tampered)


@pytest.mark.parametrize("data", [b"", b"null", b"{}", b"{" * 50_000, b'{"critical": []}', b'{"critical": {"type": "x"}}'])
async def test_a_hostile_payload_is_tampered_even_when_a_trusted_key_signed_it(shelf, data):
    subject = await signed(shelf)
    layer = signature_layer(data, key("release").sign(data), key("release").fingerprint)
    config, document = holder((layer,))
    shelf.lay(data, config)
    shelf.forged[signature_tag(subject.at.digest)] = document
    assert isinstance(await found(shelf, subject), Tampered)


def enveloped(said: bytes) -> bytes:
    return envelope(said, key("release").fingerprint, key("release").sign(pae(IN_TOTO, said)))


def odd(image: Pinned) -> list[bytes]:
    """Attestations that are none."""
    whole = orjson.loads(verdict_statement(image, digest_of(SBOM), verdict()))
    predicates = [{}, {**whole["predicate"], "passed": "true"}, {**whole["predicate"], "passed": 1}, {**whole["predicate"], "counts": 3}]
    wrong = [
        b"",
        b"[]",
        b'{"_type": "x"}',
        *(orjson.dumps({**whole, "predicate": one}) for one in predicates),
        orjson.dumps({**whole, "subject": 1}),
    ]
    plain = orjson.loads(enveloped(orjson.dumps(whole)))
    odd = [{**plain, "payloadType": "text/plain"}, {**plain, "payload": "%%%"}, {**plain, "signatures": "x"}, {**plain, "signatures": [{}]}]
    return [*map(enveloped, wrong), *map(orjson.dumps, odd), b"", b"[[[["]


async def put(shelf: Shelf, image: Pinned, said: bytes, data: bytes) -> None:
    """An envelope in the place of all attestations."""
    config, document = holder((attestation_layer(data, said, VERDICT, key("release").fingerprint),))
    shelf.lay(data, config)
    shelf.forged[attestation_tag(image.digest)] = document


async def test_a_hostile_attestation_is_tampered_and_nothing_worse(shelf):
    subject = replace(await signed(shelf), verdict="")
    for data in odd(subject.at):
        await put(shelf, subject.at, b"", data)
        assert isinstance(await found(shelf, subject), Tampered), data[:200]


async def test_an_attestation_that_nobody_signed_is_no_verdict(shelf):
    subject = replace(await signed(shelf), verdict="")
    said = verdict_statement(subject.at, digest_of(SBOM), verdict())
    data = orjson.dumps({"payloadType": IN_TOTO, "payload": base64.b64encode(said).decode(), "signatures": []})
    await put(shelf, subject.at, said, data)
    assert await found(shelf, subject) == Unattested("the gate's verdict")


async def test_no_more_images_than_wished_are_asked_for_at_once(shelf):
    subjects = [await signed(shelf, f"web{number}") for number in range(12)]
    busy = busiest = 0
    plain = shelf.manifest

    async def counted(repository, reference):
        nonlocal busy, busiest
        import asyncio

        busy += reference.startswith("sha256:")
        busiest = max(busiest, busy)
        await asyncio.sleep(0)
        found = await plain(repository, reference)
        busy -= reference.startswith("sha256:")
        return found

    shelf.manifest = counted
    results = await verify(shelf, subjects, [trusted("release")], TODAY, together=3)
    assert list(results) == subjects
    assert all(isinstance(one, Verified) for one in results.values())
    assert 1 < busiest <= 3


async def test_signing_again_changes_nothing(shelf):
    subject = await signed(shelf)
    before = (dict(shelf.home.manifests), dict(shelf.home.tags), dict(shelf.blobs), list(shelf.tagged))
    await sign(shelf, subject.at, [verdict_statement(subject.at, digest_of(SBOM), verdict())], key("release"))
    assert (shelf.home.manifests, shelf.home.tags, shelf.blobs, shelf.tagged) == before
    assert len(await shelf.referrers(HOME, subject.at.digest)) == 2


async def test_who_is_overtaken_while_signing_writes_once_more(shelf):
    image = shelf.image("web")
    await attach_sbom(shelf, image)
    said = payload(HOME, image.digest)
    theirs = signature_layer(said, key("stranger").sign(said), key("stranger").fingerprint)
    config, document = holder((theirs,))
    shelf.lay(config, said)
    shelf.overtaken = [document]
    await sign(shelf, image, [], key("release"))
    for name in ("release", "stranger"):
        assert await found(shelf, Subject("web", image), trusted(name)) == Unattested("the gate's verdict")


async def test_what_is_not_there_is_not_signed(shelf):
    with pytest.raises(RegistryFault, match="nothing was signed"):
        await sign(shelf, Pinned(HOME, digest_of(b"gone")), [], key("release"))
    assert not shelf.home.manifests


async def test_a_statement_about_something_else_is_not_signed(shelf):
    image, other = shelf.image("web"), shelf.image("other")
    with pytest.raises(ValueError, match="is not signed for"):
        await sign(shelf, image, [verdict_statement(other, digest_of(SBOM), verdict())], key("release"))
    assert not shelf.tagged


async def test_signatures_of_others_stay(shelf):
    subject = await signed(shelf, by="stranger")
    await sign(shelf, subject.at, [], key("release"))
    layers = orjson.loads(shelf.at(signature_tag(subject.at.digest)).body)["layers"]
    assert len(layers) == 2


def provenance(image: Pinned, word: str = "made") -> bytes:
    return statement(image, PROVENANCE, {"buildDefinition": {"buildType": word}, "runDetails": {}})


async def built(shelf: Shelf, *more: bytes, **over: object) -> Subject:
    """An image as a build leaves it: SBOM, provenance and verdict hang on it, and nobody has signed anything."""
    image = shelf.image("web")
    await attach_sbom(shelf, image)
    said = verdict_statement(image, digest_of(SBOM), verdict(**over), digest_of(provenance(image)))
    await papers.put(shelf, image, [papers.statement(one, "t") for one in (said, *(more or [provenance(image)]))])
    return Subject("web", image, digest_of(said), digest_of(SBOM))


async def test_what_a_build_left_is_signed_as_the_lock_names_it(shelf):
    subject = await built(shelf)
    assert await found(shelf, subject) == Unsigned()
    await sign_locked(shelf, subject, key("release"))
    result = await found(shelf, subject)
    assert isinstance(result, Verified)
    assert result.verdict.provenance == digest_of(provenance(subject.at))


async def test_what_nobody_named_is_not_signed(shelf):
    image = shelf.image("web")
    subject = await built(shelf, provenance(image), provenance(image, "forged"), statement(image, VERDICT, {"passed": True}))
    await sign_locked(shelf, subject, key("release"))
    layers = orjson.loads(shelf.at(attestation_tag(image.digest)).body)["layers"]
    assert {layer["annotations"][STATEMENT] for layer in layers} == {subject.verdict, digest_of(provenance(image))}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"verdict": ""}, "without the verdict"),
        ({"verdict": digest_of(b"another")}, "without the verdict"),
        ({"sbom": digest_of(b"another")}, "no pass of this build and its SBOM"),
    ],
)
async def test_what_the_lock_does_not_name_is_not_signed(shelf, change, why):
    subject = await built(shelf)
    with pytest.raises(RegistryFault, match=why):
        await sign_locked(shelf, replace(subject, **change), key("release"))
    assert shelf.tagged == []


async def test_what_did_not_pass_is_not_signed(shelf):
    subject = await built(shelf, passed=False)
    with pytest.raises(RegistryFault, match="no pass"):
        await sign_locked(shelf, subject, key("release"))
    assert shelf.tagged == []


async def test_a_verdict_whose_provenance_is_gone_is_not_signed(shelf):
    image = shelf.image("web")
    subject = await built(shelf, provenance(image, "another"))
    with pytest.raises(RegistryFault, match="without its provenance"):
        await sign_locked(shelf, subject, key("release"))
    assert shelf.tagged == []
