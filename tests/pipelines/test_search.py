from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipelines.core.sbom.bom import Component
from pipelines.core.sbom.query import parse
from pipelines.core.sbom.search import record, search, tell_hits
from reconciler.adapters.ledger import components_at
from reconciler.ports import ComponentRecord, ImageRecord

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def image(number: int, name: str) -> ImageRecord:
    return ImageRecord(f"sha256:{number:064x}", name, f"commit{number}", "passed", NOON + timedelta(days=number))


def libssl(version: str) -> ComponentRecord:
    return ComponentRecord("deb", "libssl3", version, "openssl", f"pkg:deb/debian/libssl3@{version}", "base")


def test_images_that_carry_it_are_told_what_runs_first(tmp_path: Path) -> None:
    told: list[str] = []
    contents = components_at(f"sqlite:///{tmp_path}/ledger.db", told.append)
    contents.keep(image(1, "alpha"), [libssl("3.0.11-1")])
    contents.keep(image(2, "beta"), [libssl("3.0.14-1~deb12u1")])
    contents.keep(
        image(3, "gamma"),
        [libssl("3.0.13-1~deb12u1"), record(Component("pypi", "pyOpenSSL", "24.0", "", "pkg:pypi/pyopenssl@24.0", "gamma", ""))],
    )
    query = parse("openssl<3.0.14")
    hits = search(query, contents.named(query.names), {image(3, "gamma").digest: ["platform/web"]})
    assert list(tell_hits(hits)) == [
        "gamma sha256:000000000000 of commit3, passed, since 2026-11-24: runs in platform/web",
        "  deb libssl3 3.0.13-1~deb12u1, from base",
        "alpha sha256:000000000000 of commit1, passed, since 2026-11-22: nothing runs it",
        "  deb libssl3 3.0.11-1, from base",
    ]
    assert told == []


def test_a_package_of_python_is_found_however_it_is_written(tmp_path: Path) -> None:
    contents = components_at(f"sqlite:///{tmp_path}/ledger.db", print)
    contents.keep(image(1, "alpha"), [ComponentRecord("pypi", "ruamel.yaml", "0.18", "", "pkg:pypi/ruamel-yaml@0.18", "alpha")])
    for text in ("Ruamel.Yaml", "ruamel.yaml<1", "pypi:ruamel.yaml>=0.18"):
        query = parse(text)
        assert len(search(query, contents.named(query.names), {})) == 1, text
