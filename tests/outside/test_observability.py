"""The dashboard and the alerts name what there is, and lead to pages that help."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from reconciler.adapters.metrics import Metrics
from reconciler.model.happenings import ApprovalNeeded, ConflictFound, LeaseChanged, SourceChanged, SourceState
from reconciler.model.result import Ending
from tests.docs.test_docs import anchors
from tests.outside.happened import DEPLOYMENT, WEB, began, condition, drift, ended, vitals

ROOT = Path(__file__).resolve().parents[2]
ALERTS = ROOT / "docs/observability/alerts.yaml"
DASHBOARD = ROOT / "docs/observability/dashboard.json"
RULES = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
OF_TARGET = {"job", "instance", "namespace"}
_NAME = re.compile(r"\b((?:fleetwright|process)_\w+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!=|!~|=)\s*"([^"]*)"')
_GROUPED = re.compile(r"(?:by|without) \(([^)]*)\)")
_SHOWN = re.compile(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}")


def series() -> Mapping[str, dict[str, set[str]]]:
    """Every series that there is after everything happened: name -> label -> its values."""
    metrics = Metrics("0.1.0", "trial", vitals)
    happened = [ConflictFound(DEPLOYMENT, WEB, ()), drift(), ApprovalNeeded("r", "h", "m"), LeaseChanged(held=True, holder="me")]
    happened += [SourceChanged(SourceState.FOLLOWED, ""), condition("web", "Ready", "False")]
    for ending in Ending:
        happened += [began(), ended(ending)]
    for happening in happened:
        metrics.hear(happening)
    metrics.request("GET", 200, 0.1)
    metrics.notification("slack", "taken")
    found: dict[str, dict[str, set[str]]] = {}
    for family in metrics.registry.collect():
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


SERIES = series()


def panels() -> Iterator[tuple[str, str, str]]:
    """Title, expression and legend of every query."""
    board = json.loads(DASHBOARD.read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"], target.get("legendFormat", "")
    for note in board["annotations"]["list"]:
        yield note["name"], note["expr"], ""


QUERIES = [(rule["alert"], rule["expr"], "") for rule in RULES] + list(panels())


@pytest.mark.parametrize(("name", "expression", "legend"), QUERIES, ids=lambda value: value[:60])
def test_every_metric_exists_with_the_labels_that_are_asked_of_it(name, expression, legend):
    named = _NAME.findall(expression)
    assert named, "it asks for nothing"
    labels = set(OF_TARGET)
    for metric, matchers in named:
        assert metric in SERIES, f"there is no {metric}"
        labels |= SERIES[metric].keys()
        for label, operator, value in _MATCHER.findall(matchers):
            assert label in SERIES[metric].keys() | OF_TARGET, f"{metric} has no label {label}"
            if label in {"state", "ending"} and operator == "=~":
                assert set(value.split("|")) <= SERIES[metric][label], f"{label} is never one of {value}"
    for grouped in _GROUPED.findall(expression):
        assert set(grouped.replace(" ", "").split(",")) <= labels, grouped
    for shown in _SHOWN.findall(legend):
        assert shown in labels, shown


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_says_what_is_wrong_and_leads_to_what_to_do(rule):
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    notes = rule["annotations"]
    assert notes.keys() == {"summary", "description", "runbook"}
    page, _, anchor = notes["runbook"].partition("#")
    assert anchor in anchors(ROOT / page)
    grouped = {label for labels in _GROUPED.findall(rule["expr"]) for label in labels.replace(" ", "").split(",")}
    for shown in re.findall(r"\$labels\.(\w+)", notes["summary"] + notes["description"]):
        assert shown in (grouped or OF_TARGET)


def test_every_section_of_the_page_has_an_alert():
    page = (ROOT / "docs/how-to/watch-the-operator.md").read_text().partition("## When an alert fires")[2]
    headings = {line.removeprefix("### ").lower().replace(" ", "-") for line in page.splitlines() if line.startswith("### ")}
    assert headings == {rule["annotations"]["runbook"].partition("#")[2] for rule in RULES}


def test_every_metric_of_ours_is_looked_at_or_told_by_another():
    """What nobody looks at need not be kept."""
    asked = {metric for _, expression, _ in QUERIES for metric, _ in _NAME.findall(expression)}
    bases = {re.sub(r"_(?:bucket|count|sum|created)$", "", name) for name in SERIES if name.startswith("fleetwright_")}
    bases -= {f"{base}" for base in bases if base + "_total" in bases}
    unseen = {base for base in bases if not any(name.startswith(base) for name in asked)}
    assert unseen == {"fleetwright_standby", "fleetwright_approvals_asked_total"}


def test_panels_do_not_lie_on_each_other():
    board = json.loads(DASHBOARD.read_text())
    taken: dict[tuple[int, int], str] = {}
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_prometheus_takes_the_rules():
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool here (apt-get install prometheus)")
    checked = subprocess.run([promtool, "check", "rules", ALERTS], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
