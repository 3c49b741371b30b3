"""SBOMs from the real Trivy: canonical inside, valid outside, and never taken for what is installed."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.adapters.cyclonedx import CycloneDx
from pipelines.adapters.trivy import Settings, Trivy
from pipelines.core.dpkg import STATUS, unlisted
from pipelines.core.report import read_report
from pipelines.core.sbom.bom import NotABom, components
from pipelines.core.sbom.bom import owners as bom_owners
from pipelines.core.sbom.canonical import PATH, canonical
from pipelines.core.sbom.difference import difference, tell_difference
from pipelines.core.sbom.outside import About, outside
from pipelines.model.oci import Pinned, Repository
from pipelines.model.vulnerability import Report
from pipelines.ports import BomInvalid
from reconciler.model.canonical import dumps
from tests.engines import trivy_db
from tests.images.layouts import Deb, Files, Layout, dist_info, dpkg, layout

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
OPENSSL = Deb("libssl3", "3.0.11-1~deb12u1", "openssl")
BASE = {**dpkg(OPENSSL), **dist_info("pip", "23.0", licence="MIT")}
WEB = {
    **dpkg(OPENSSL, Deb("curl", "7.88.1-10")),
    **dist_info("requests", "2.19.0", licence="Apache 2.0"),
    **dist_info("pip", "23.0", "opt/venv/lib/python3.11/site-packages", "MIT OR Apache-2.0"),
    **dist_info("odd", "1.0", licence="see the file"),
}
DIGESTS = [f"sha256:{digit * 64}" for digit in "abc"]
ABOUT = About(
    "web",
    Pinned(Repository("ghcr.io", "acme/web"), DIGESTS[0]),
    "9f3c2ab",
    "2026-11-21T12:00:00Z",
    "trivy 0.76.0",
    (
        ("base", Pinned(Repository("ghcr.io", "acme/base"), DIGESTS[1])),
        ("docker.io/library/python", Pinned(Repository("docker.io", "library/python"), DIGESTS[2])),
    ),
)


@pytest.fixture
def trivy(trivy_program: Path, tmp_path: Path) -> Trivy:
    advisories = [
        trivy_db.debian("CVE-2099-0001", "openssl", "CRITICAL", "3.0.13-1"),
        trivy_db.python("CVE-2099-0002", "requests", "HIGH", "2.20.0"),
    ]
    return Trivy(Settings(trivy_program, trivy_db.write(tmp_path / "cache", advisories, NOON), lambda: NOON))


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Layout]:
    return lambda *layers: layout(tmp_path / f"image-{len(list(tmp_path.iterdir()))}", layers)


def owners(image: Layout) -> dict[str, str]:
    return dict(zip(image.diff_ids, ("base", "web"), strict=False))


async def inside(trivy: Trivy, image: Layout) -> bytes:
    return canonical(await trivy.inventory(image.folder), "web", owners(image))


async def test_the_same_packages_give_the_same_bytes(trivy: Trivy, make: Callable[..., Layout]) -> None:
    first, second = [await inside(trivy, make(BASE, WEB)) for _ in range(2)]
    assert first == second
    for varying in (b"serialNumber", b"timestamp", b"LayerDigest", b"0.76.0", b"image-"):
        assert varying not in first, "nothing that varies without the packages"
    assert first == dumps(json.loads(first)), "it is canonical JSON"


async def test_each_package_says_which_image_brought_it(trivy: Trivy, make: Callable[..., Layout]) -> None:
    found = {(one.ecosystem, one.name, one.path.partition("/")[0]): one.image for one in components(await inside(trivy, make(BASE, WEB)))}
    assert found == {
        ("deb", "libssl3", ""): "base",
        ("deb", "curl", ""): "web",
        ("pypi", "pip", "usr"): "base",
        ("pypi", "pip", "opt"): "web",
        ("pypi", "requests", "usr"): "web",
        ("pypi", "odd", "usr"): "web",
    }


async def test_both_forms_are_valid_cyclonedx(trivy: Trivy, make: Callable[..., Layout]) -> None:
    within = await inside(trivy, make(BASE, WEB))
    bills = CycloneDx()
    beside = outside(within, ABOUT, bills.license)
    bills.check(within)
    bills.check(beside)
    bom = json.loads(beside)
    assert bom["specVersion"] == "1.7"
    assert [one["name"] for one in bom["metadata"]["component"]["pedigree"]["ancestors"]] == ["base", "docker.io/library/python"]
    assert bom["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert bom["metadata"]["component"]["properties"][-1] == {"name": "fleetwright:revision", "value": "9f3c2ab"}
    assert {one["name"]: one["licenses"] for one in bom["components"] if one.get("licenses") and one["name"] != "pip"} == {
        "requests": [{"license": {"id": "Apache-2.0"}}],
        "odd": [{"license": {"name": "see-the-file"}}],
    }
    assert outside(within, ABOUT, bills.license) == beside, "its serial follows from the digest"
    assert components(beside) == components(within)


async def test_both_forms_are_judged_alike_and_say_who_brought_each_layer(trivy: Trivy, make: Callable[..., Layout]) -> None:
    image = make(BASE, WEB)
    within = await inside(trivy, image)
    beside = outside(within, ABOUT, CycloneDx().license)
    reports = [read_report(scan.report, scan.scanner, scan.database) for scan in (await trivy.rescan(within), await trivy.rescan(beside))]
    assert reports[0] == reports[1]
    assert reports[0].vulnerabilities
    for form in (within, beside):
        assert list(bom_owners(form).items()) == list(owners(image).items())


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda bom: bom | {"surprise": 1}, "Additional properties"),
        (lambda bom: bom | {"specVersion": "9.9"}, "not a valid SchemaVersion"),
        (lambda bom: bom | {"serialNumber": "1"}, "does not match"),
        (lambda bom: bom | {"components": [{"type": "library"}]}, "'name' is a required property"),
    ],
)
def test_what_is_not_cyclonedx_is_refused_with_the_place(spoil: Callable[[dict], dict], sentence: str) -> None:
    with pytest.raises(BomInvalid, match=sentence):
        CycloneDx().check(json.dumps(spoil({"bomFormat": "CycloneDX", "specVersion": "1.7", "version": 1})).encode())


async def found(trivy: Trivy, image: Layout) -> set[str]:
    report = await reported(trivy, image)
    return {one.id for one in report.vulnerabilities}


async def reported(trivy: Trivy, image: Layout) -> Report:
    scan = await trivy.scan(image.folder)
    return read_report(scan.report, scan.scanner, scan.database)


async def test_the_sbom_in_a_parent_is_not_taken_for_what_is_installed(trivy: Trivy, make: Callable[..., Layout]) -> None:
    """The child has upgraded both; under the name that Trivy reads, the parent's SBOM would bring them back."""
    old: Files = {**dpkg(OPENSSL), **dist_info("requests", "2.19.0")}
    sbom = await inside(trivy, make(old))
    upgrade = {
        **dpkg(Deb("libssl3", "3.0.13-1", "openssl")),
        **dist_info("requests", "2.20.0"),
        "usr/local/lib/python3.11/site-packages/requests-2.19.0.dist-info/.wh.METADATA": b"",
    }
    assert await found(trivy, make(old, {PATH: sbom})) == {"CVE-2099-0001", "CVE-2099-0002"}
    assert await found(trivy, make(old, {PATH: sbom}, upgrade)) == set()
    assert await found(trivy, make(old, {"opt/fleet/image.cdx.json": sbom}, upgrade)) != set(), "Trivy reads *.cdx.json"


async def test_the_sbom_in_an_image_is_no_package_of_it(trivy: Trivy, make: Callable[..., Layout]) -> None:
    without = await inside(trivy, make(BASE, WEB))
    assert await inside(trivy, make(BASE, WEB, {PATH: without})) == without


async def test_hostile_names_make_no_hostile_sbom(trivy: Trivy, make: Callable[..., Layout]) -> None:
    metadata = "Metadata-Version: 2.1\nName: evil\u202e\u2028\nVersion: 1.0\nLicense: " + "L" * 100_000
    debs = dpkg(OPENSSL, Deb("red\u202e", "1.0"), Deb("long" * 25_000, "1.0"))
    evil = {**debs, "usr/local/lib/python3.11/site-packages/evil-1.0.dist-info/METADATA": metadata.encode()}
    within = await inside(trivy, make(evil))
    assert len(within) < 10_000
    bills = CycloneDx()
    bills.check(within)
    bills.check(outside(within, ABOUT, bills.license))
    assert within.decode().isprintable()
    names = [one.name for one in components(within)]
    assert len(names) == 4, names
    assert all(name.isprintable() for name in names)


LONG = "long" * 40_000


@pytest.mark.parametrize(("name", "missing"), [("red\x1b[31m", ["red\x1b[31m 1.0"]), (LONG, ["curl 7.88.1-10", f"{LONG} 1.0"])])
async def test_what_trivy_passes_over_in_a_child_is_noticed_by_dpkgs_own_list(
    name: str, missing: list[str], trivy: Trivy, make: Callable[..., Layout]
) -> None:
    """It then reports the parent's packages as if the child had added none."""
    hidden = dpkg(OPENSSL, Deb("curl", "7.88.1-10"), Deb(name, "1.0"))
    listed = components(await inside(trivy, make(BASE, hidden)))
    assert list(unlisted(hidden[STATUS], listed)) == missing
    listed = components(await inside(trivy, make(BASE, WEB)))
    assert unlisted(WEB[STATUS], listed) == ()
    assert unlisted(WEB[STATUS].replace(b"install ok installed", b"deinstall ok config-files"), ()) == ()


def test_control_characters_of_a_name_are_replaced() -> None:
    listed = [{"type": "library", "name": "red\x1b[31m\n", "version": "\x07", "purl": "pkg:pypi/red@1", "bom-ref": "a\x00"}]
    within = canonical(dumps({"bomFormat": "CycloneDX", "components": listed}), "web", {})
    CycloneDx().check(within)
    assert within.decode().isprintable()
    assert [one.name for one in components(within)] == ["red\ufffd[31m\ufffd"]


def test_a_name_of_ten_megabytes_is_cut_and_still_its_own() -> None:
    names = ["a" * (10 << 20) + end for end in "xy"]
    one = {"type": "library", "version": "1"}
    listed = [{**one, "name": name, "purl": f"pkg:pypi/{name}@1", "bom-ref": str(place)} for place, name in enumerate(names)]
    within = canonical(dumps({"bomFormat": "CycloneDX", "components": listed}), "web", {})
    assert len(within) < 10_000
    assert len({one.name for one in components(within)}) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"bomFormat": "SPDX"}',
        b'{"bomFormat": "CycloneDX", "components": [1]}',
        b'{"bomFormat": "CycloneDX", "components": {}}',
    ],
)
def test_what_is_no_sbom_is_refused(data: bytes) -> None:
    with pytest.raises(NotABom):
        canonical(data, "web", {})


async def test_two_sboms_are_compared_by_ecosystem(trivy: Trivy, make: Callable[..., Layout]) -> None:
    newer = {**dpkg(Deb("libssl3", "3.0.9-1", "openssl"), Deb("jq", "1.6")), **dist_info("pip", "23.1")}
    before, after = [components(await inside(trivy, make(files))) for files in (BASE, newer)]
    assert list(tell_difference(difference(before, after))) == [
        "+ deb jq 1.6",
        "~ deb libssl3 3.0.11-1~deb12u1 -> 3.0.9-1 (older)",
        "~ pypi pip 23.0 -> 23.1",
    ]
    assert difference(before, before) == ()
