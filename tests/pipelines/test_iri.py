import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipelines.adapters.cyclonedx import CycloneDx
from pipelines.core.iri import is_iri_reference
from pipelines.ports import BomInvalid

CASES = yaml.safe_load((Path(__file__).parent / "addresses.yaml").read_text())


def bom(**fields: object) -> bytes:
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.7", "version": 1, **fields}).encode()


@pytest.mark.parametrize("text", CASES["are"])
def test_what_an_address_is(text: str) -> None:
    assert is_iri_reference(text)
    CycloneDx().check(bom(externalReferences=[{"type": "website", "url": text}]))


@pytest.mark.parametrize("text", CASES["are_not"])
def test_what_is_no_address_is_refused_in_an_sbom(text: str) -> None:
    assert not is_iri_reference(text)
    with pytest.raises(BomInvalid, match=r"^externalReferences/0/url: "):
        CycloneDx().check(bom(externalReferences=[{"type": "website", "url": text}]))


def test_what_is_no_date_is_refused_in_an_sbom() -> None:
    CycloneDx().check(bom(metadata={"timestamp": "2026-11-22T10:00:00Z"}))
    with pytest.raises(BomInvalid, match=r"^metadata/timestamp: "):
        CycloneDx().check(bom(metadata={"timestamp": "yesterday"}))


def test_checking_an_sbom_loads_no_grammars() -> None:
    program = (
        "import sys; from pipelines.adapters.cyclonedx import CycloneDx; "
        f"CycloneDx().check({bom()!r}); print(sorted({{'lark', 'rfc3987_syntax'}} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
