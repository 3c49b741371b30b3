"""The reference fleet's gate lets through, for a while, what is past its end of life and known to be."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pipelines.core.judge import judge
from pipelines.core.policies import policies
from pipelines.model.verdict import Stance, Subject
from pipelines.model.vulnerability import Package, Report
from pipelines.shell.matter import Matter, matter

ROOT = Path(__file__).resolve().parents[2]
TODAY = date(2026, 11, 21)
PYTHON = Package("pip", "25.0", purl="pkg:pypi/pip@25.0", path="opt/venv/lib/python3.10/site-packages/pip-25.0.dist-info/METADATA")
REPORT = Report((PYTHON,), (), "", "trivy", "today")
OLD = ["base-gpu-cu121", "family-llm-cu121", "family-torch-cu121", "family-vision-cu121", "legacy-py310-cpu"]


@pytest.fixture(scope="module")
def reference() -> Matter:
    return matter(ROOT, None)


@pytest.mark.parametrize("name", OLD)
def test_python_3_10_is_waived_with_a_date_and_fails_after_it(name: str, reference: Matter) -> None:
    policy = policies(reference.graph, reference.targets, reference.workspace.source.read)[name]
    verdict = judge(REPORT, policy, Subject(name), TODAY)
    assert [(one.vulnerability.id, one.stance) for one in verdict.judged] == [("EOL-PYTHON-3-10", Stance.WAIVED)]
    assert max(one.until for one in policy.allowances) <= date(2027, 3, 31)
    later = judge(REPORT, policy, Subject(name), date(2027, 4, 1))
    assert not later.passed


def test_other_images_may_not_have_it(reference: Matter) -> None:
    policy = policies(reference.graph, reference.targets, reference.workspace.source.read)["family-web"]
    assert not judge(REPORT, policy, Subject("family-web"), TODAY).passed
