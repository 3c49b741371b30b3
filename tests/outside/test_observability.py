"""The dashboard and the alerts name what there is, and lead to pages that help."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
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


@pytest.fixture
def promtool(tmp_path: Path) -> Callable[..., str]:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("there is no promtool here (apt-get install prometheus)")

    def run(*words: str, **content: object) -> str:
        (tmp_path / "file.yaml").write_text(yaml.safe_dump(content))
        done = subprocess.run([program, *words, tmp_path / "file.yaml"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    return run


def test_prometheus_understands_every_query(promtool):
    record = [{"record": f"r{place}", "expr": expression.replace("$job", ".+")} for place, (_, expression, _) in enumerate(QUERIES)]
    assert f"{len(record)} rules found" in promtool("check", "rules", groups=[{"name": "all", "rules": record}])


FIRES = {
    "FleetwrightOperatorAbsent": {"up{job='a'}": "0x60"},
    "FleetwrightLoopStalled": {"fleetwright_loop_age_seconds{job='a'}": "0+60x60"},
    "FleetwrightNobodyLeads": {"fleetwright_leading{job='a'}": "0x60"},
    "FleetwrightRepositoryUnavailable": {"fleetwright_source_age_seconds{job='a'}": "90000x60"},
    "FleetwrightCommitRefused": {"fleetwright_source_state{job='a',state='rewound'}": "1x60"},
    "FleetwrightNotAsDesired": {"fleetwright_last_success_age_seconds{job='a'}": "90000x60"},
    "FleetwrightRunsFail": {"fleetwright_runs_total{job='a',because='resync',ending='failed'}": "0+1x60"},
    "FleetwrightResourcesStalled": {"fleetwright_resources{job='a',kind='Service',reason='Unplaced'}": "2x60"},
    "FleetwrightQueueStuck": {"fleetwright_queue_age_seconds{job='a'}": "0+60x60"},
    "FleetwrightDriftStorm": {"fleetwright_drift_repairs_total{job='a',kind='Deployment'}": "0+60x60"},
    "FleetwrightConflict": {"fleetwright_conflicts_total{job='a',kind='Deployment'}": "0x30 1x30"},
    "FleetwrightApiErrors": {
        "fleetwright_api_requests_total{job='a',verb='GET',code='200'}": "0+10x60",
        "fleetwright_api_requests_total{job='a',verb='GET',code='503'}": "0+1x60",
    },
    "FleetwrightNotificationsStuck": {"fleetwright_notifications_waiting{job='a'}": "3x60"},
}
WELL = {
    "fleetwright_build_info{job='a'}": "1x60",
    "fleetwright_loop_age_seconds{job='a'}": "0.5x60",
    "fleetwright_leading{job='a'}": "1x60",
    "fleetwright_source_age_seconds{job='a'}": "60x60",
    "fleetwright_source_state{job='a',state='followed'}": "1x60",
    "fleetwright_source_state{job='a',state='rewound'}": "0x60",
    "fleetwright_last_success_age_seconds{job='a'}": "60x60",
    "fleetwright_runs_total{job='a',because='resync',ending='completed'}": "0+1x60",
    "fleetwright_resources{job='a',kind='Service',reason='Healthy'}": "20x60",
    "fleetwright_held_guards{job='a'}": "0x60",
    "fleetwright_queue_age_seconds{job='a'}": "0x60",
    "fleetwright_drift_repairs_total{job='a',kind='Deployment'}": "0x30 3x30",
    "fleetwright_conflicts_total{job='a',kind='Deployment'}": "0x60",
    "fleetwright_api_requests_total{job='a',verb='GET',code='200'}": "0+100x60",
    "fleetwright_api_requests_total{job='a',verb='GET',code='503'}": "0+1x60",
    "fleetwright_notifications_waiting{job='a'}": "0x10 2x10 0x40",
    "fleetwright_paused{job='a'}": "0x60",
}


def an_hour(state: Mapping[str, str], firing: Mapping[str, int]) -> dict[str, object]:
    """A test of promtool: after an hour in this state exactly these alerts fire, so often."""
    values = [{"series": name.replace("'", '"'), "values": text} for name, text in state.items()]
    expected = [{"labels": f'{{alertname="{name}"}}', "value": count} for name, count in firing.items()]
    ask = {"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": "60m", "exp_samples": expected}
    return {"interval": "1m", "input_series": values, "promql_expr_test": [ask]}


def test_each_alert_fires_when_it_should_and_none_does_while_all_is_well(promtool):
    def without(alert: str) -> Mapping[str, str]:
        return {name: text for name, text in WELL.items() if not (alert.endswith("Absent") and "build_info" in name)}

    tests = [an_hour(WELL, {}), *(an_hour(without(alert) | state, {alert: 1}) for alert, state in FIRES.items())]
    promtool("test", "rules", rule_files=[str(ALERTS)], tests=tests)
    assert FIRES.keys() >= {rule["alert"] for rule in RULES if rule["labels"]["severity"] != "info"}
