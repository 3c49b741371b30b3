"""What is signed: statements and their envelopes, and provenance without secrets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.attestation import (
    envelope,
    pae,
    read_envelope,
    read_statement,
    sbom_statement,
    statement,
    verdict_claim,
    verdict_statement,
)
from pipelines.core.judge import judge
from pipelines.core.predicate import TYPE, predicate
from pipelines.core.provenance import Dependency, Provenance, provenance_statement, read_provenance, without_credentials
from pipelines.core.signature import payload, signed_digest
from pipelines.core.tally import digest_of
from pipelines.model.oci import Pinned, Repository
from pipelines.model.trust import IN_TOTO, VERDICT, Malformed
from pipelines.model.verdict import Policy, Subject
from pipelines.model.vulnerability import Package, Report, Vulnerability
from tests.pipelines.signing.scene import SBOM, verdict

AT = Pinned(Repository("registry.test", "acme/web"), digest_of(b"image"))
WHEN = datetime(2026, 11, 21, 6, 30, 59, 999, tzinfo=UTC)
MADE = Provenance(
    image="web", spec="specs/images/web.yaml", key="k1", platform="linux/amd64", args={"LEVEL": "2"},
    builder="https://ci.example/workflow", engine="buildah 1.28.2", run="https://ci.example/runs/7", started=WHEN, finished=WHEN,
    dependencies=(
        Dependency("base", "pkg:docker/debian@bookworm-slim", digest_of(b"base")),
        Dependency("parent", "registry.test/acme/base", digest_of(b"parent")),
        Dependency("source", "https://git.example/acme/fleet", "gitCommit:" + "a" * 40),
    ),
    secrets=("pip-index",), details={"recipe": "1", "epoch": "3"},
)  # fmt: skip


def test_pae_is_as_the_specification_shows_it():
    assert pae("http://example.com/HelloWorld", b"hello world") == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("", b"") == b"DSSEv1 0  0 "
    assert pae("ä", b"x") == b"DSSEv1 2 \xc3\xa4 1 x"


@given(st.binary(max_size=100), st.binary(max_size=80))
def test_an_envelope_is_read_as_it_was_written(said: bytes, signature: bytes):
    read = read_envelope(envelope(said, "key", signature))
    assert (read.payload_type, read.payload, read.signatures) == (IN_TOTO, said, (("key", signature),))


def test_the_same_statement_has_the_same_bytes():
    first = statement(AT, "t", {"b": 1, "a": 2})
    assert first == statement(AT, "t", {"a": 2, "b": 1})
    assert orjson.loads(first)["subject"] == [{"name": "registry.test/acme/web", "digest": {"sha256": AT.digest[7:]}}]


def test_a_verdict_says_what_the_gate_said_of_this_image():
    said = verdict_statement(AT, digest_of(SBOM), {**verdict(), "digest": "forged", "day": "2026-11-21"})
    claim = verdict_claim(read_statement(said))
    assert (claim.digest, claim.sbom, claim.passed, claim.counts) == (AT.digest, digest_of(SBOM), True, {"passes": {"LOW": 3}})
    assert orjson.loads(said)["predicate"]["day"] == "2026-11-21"


@pytest.mark.parametrize("gone", ["digest", "sbom", "scanner", "database", "policy", "passed", "counts"])
def test_a_verdict_that_leaves_something_open_is_none(gone):
    whole = orjson.loads(verdict_statement(AT, digest_of(SBOM), verdict()))
    del whole["predicate"][gone]
    with pytest.raises(Malformed):
        verdict_claim(read_statement(orjson.dumps(whole)))


@pytest.mark.parametrize("sbom", [b"", b"[]", b"{", b"\xff"])
def test_an_sbom_that_is_none_is_not_attested(sbom):
    with pytest.raises(Malformed):
        sbom_statement(AT, sbom)


def test_a_payload_speaks_of_one_digest():
    assert signed_digest(payload(AT.repository, AT.digest)) == AT.digest
    with pytest.raises(Malformed):
        signed_digest(payload(AT.repository, "sha256:short"))


@given(st.binary(max_size=60) | st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["critical", "image", "type", "payload", "payloadType", "signatures", "sig", "_type", "subject", "digest", "predicate", "x"]), inner, max_size=4)).map(orjson.dumps))  # fmt: skip
def test_whatever_a_registry_holds_is_read_or_malformed(data: bytes):
    for read in (read_envelope, read_statement, signed_digest):
        with pytest.raises(Malformed):
            read(data)


def test_provenance_names_what_the_image_was_made_of():
    made = orjson.loads(provenance_statement(AT, MADE))
    assert made["predicateType"] == "https://slsa.dev/provenance/v1"
    build = made["predicate"]["buildDefinition"]
    assert build["externalParameters"] == {
        "image": "web",
        "spec": "specs/images/web.yaml",
        "platform": "linux/amd64",
        "args": {"LEVEL": "2"},
    }
    assert build["internalParameters"] == {"key": "k1", "engine": "buildah 1.28.2", "secrets": ["pip-index"], "recipe": "1", "epoch": "3"}
    assert [one["digest"] for one in build["resolvedDependencies"]] == [
        {"sha256": digest_of(b"base")[7:]}, {"sha256": digest_of(b"parent")[7:]}, {"gitCommit": "a" * 40},
    ]  # fmt: skip
    assert made["predicate"]["runDetails"]["metadata"]["startedOn"] == "2026-11-21T06:30:59Z"


def test_times_are_told_in_utc():
    there = replace(MADE, started=WHEN.astimezone(timezone(timedelta(hours=-8))))
    assert provenance_statement(AT, there) == provenance_statement(AT, MADE)


def test_no_address_of_a_provenance_has_a_password_in_it():
    leaky = replace(
        MADE,
        builder="https://bot:hunter2@ci.example/build",
        run="https://ci.example/runs/7?token=hunter2",
        dependencies=(
            Dependency("source", "https://oauth2:hunter2@git.example/acme/fleet.git?access_token=hunter2", "gitCommit:" + "b" * 40),
        ),
    )
    said = provenance_statement(AT, leaky)
    assert b"hunter2" not in said
    assert b"https://git.example/acme/fleet.git" in said


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://a:b@host:8443/p#f", "https://host:8443/p#f"),
        ("git+https://token@host/p", "git+https://host/p"),
        ("registry.test/acme/web", "registry.test/acme/web"),
        ("pkg:docker/debian@bookworm", "pkg:docker/debian@bookworm"),
    ],
)
def test_an_address_keeps_all_but_its_credentials(uri, shown):
    assert without_credentials(uri) == shown


@pytest.mark.parametrize("wrong", ["", "latest", "sha256:", "sha512:" + "a" * 128, "sha256:XYZ"])
def test_a_dependency_without_a_digest_is_no_dependency(wrong):
    with pytest.raises(ValueError, match="has no digest"):
        provenance_statement(AT, replace(MADE, dependencies=(Dependency("base", "debian", wrong),)))


def test_provenance_is_read_again():
    origin = read_provenance(read_statement(provenance_statement(AT, MADE)))
    assert (origin.builder, origin.run, origin.parameters["image"]) == (MADE.builder, MADE.run, "web")
    assert origin.dependencies == MADE.dependencies


@pytest.mark.parametrize(
    "predicate", [{}, {"buildDefinition": {}}, {"buildDefinition": {"buildType": "x", "externalParameters": {}}, "runDetails": 3}]
)
def test_provenance_that_is_none_is_malformed(predicate):
    with pytest.raises(Malformed):
        read_provenance(read_statement(statement(AT, "https://slsa.dev/provenance/v1", predicate)))


def test_provenance_of_others_is_read_as_far_as_it_goes():
    theirs = {
        "buildDefinition": {"buildType": "x", "externalParameters": {}, "resolvedDependencies": [{"uri": "git+https://x"}, {"digest": {"sha1": "a"}}]},
        "runDetails": {"builder": {"id": "b"}, "metadata": "odd"},
    }  # fmt: skip
    origin = read_provenance(read_statement(statement(AT, "https://slsa.dev/provenance/v1", theirs)))
    assert origin.dependencies == (Dependency("", "git+https://x", ""), Dependency("", "", ""))


@pytest.mark.parametrize("fail_on", [("CRITICAL",), ("LOW",)])
def test_what_a_gate_decides_is_what_its_signed_verdict_says(fail_on):
    package = Package("openssl", "3.0.1", purl="pkg:deb/debian/openssl@3.0.1")
    report = Report((package,), (Vulnerability("CVE-2026-1", "LOW", package, "3.0.2"),), "", "trivy 0.76.0", "2026-11-21T06:00:00Z")
    decided = judge(report, Policy(fail_on, "fail"), Subject("web"), date(2026, 11, 21))
    claim = verdict_claim(read_statement(verdict_statement(AT, digest_of(SBOM), predicate(decided))))
    assert claim.passed is decided.passed is (fail_on == ("CRITICAL",))
    assert (claim.scanner, claim.database, claim.policy) == (decided.scanner, decided.database, decided.policy)
    assert claim.counts == {"passes" if decided.passed else "fails": {"LOW": 1}}
    assert TYPE == VERDICT
