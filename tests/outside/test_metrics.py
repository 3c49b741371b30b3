from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client.parser import text_string_to_metric_families

from reconciler.adapters.metrics import Metrics
from reconciler.model.happenings import ApprovalNeeded, ConflictFound, LeaseChanged, PauseChanged, SourceChanged, SourceState
from reconciler.model.manifests import ObjectId
from reconciler.model.refs import Ref
from reconciler.model.result import Ending
from tests.outside.happened import DEPLOYMENT, NEVER, WEB, began, condition, drift, ended, vitals


def metrics(**changed) -> Metrics:
    return Metrics("0.1.0", "trial", lambda: vitals(**changed), lambda: 7)


def samples(made: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = made.page("")[0].decode()
    return {(s.name, frozenset(s.labels.items())): s.value for f in text_string_to_metric_families(text) for s in f.samples}


def value(made: Metrics, name: str, **labels: str) -> float:
    return samples(made)[f"fleetwright_{name}", frozenset(labels.items())]


def test_runs_are_counted_by_cause_and_ending_and_timed_by_phase():
    made = metrics()
    for happening in (began(), ended(created=4, updated=1), began(because="drift", run="r2"), ended(Ending.FAILED, run="r2", failed=2)):
        made.hear(happening)
    assert value(made, "runs_total", because="commit", ending="completed") == 1
    assert value(made, "runs_total", because="drift", ending="failed") == 1
    assert value(made, "writes_total", action="create") == 4
    assert value(made, "writes_total", action="fail") == 2
    assert value(made, "reconcile_seconds_count", phase="plan") == 2
    assert value(made, "reconcile_seconds_sum", phase="apply") == 2.0


def test_what_is_repaired_fought_over_and_asked_for_is_counted():
    made = metrics()
    for happening in (
        drift("a"),
        drift("b"),
        ConflictFound(DEPLOYMENT, WEB, ("hpa",)),
        ApprovalNeeded("r", "h", "m"),
        LeaseChanged(held=True, holder="me"),
    ):
        made.hear(happening)
    made.hear(condition("web", "Ready", "False"))
    made.hear(PauseChanged("all", None, paused=True))
    assert value(made, "drift_repairs_total", kind="Deployment") == 2
    assert value(made, "drift_repair_seconds_count") == 2
    assert value(made, "conflicts_total", kind="Deployment") == 1
    assert value(made, "approvals_asked_total") == 1
    assert value(made, "lease_changes_total") == 1
    assert value(made, "condition_changes_total", kind="Service", type="Ready", status="False") == 1


def test_the_source_is_in_one_state_at_a_time():
    made = metrics()
    made.hear(SourceChanged(SourceState.FOLLOWED, "a"))
    made.hear(SourceChanged(SourceState.REWOUND, "b"))
    states = {labels: found for (name, labels), found in samples(made).items() if name == "fleetwright_source_state"}
    assert [dict(labels)["state"] for labels, found in states.items() if found] == ["rewound"]
    assert len(states) == len(SourceState)


def test_gauges_are_read_when_they_are_asked_for():
    held = {"queue": 3}
    made = Metrics("0.1.0", "trial", lambda: vitals(**held))
    assert value(made, "queue_depth") == 3
    held["queue"] = 9
    assert value(made, "queue_depth") == 9
    assert value(made, "source_age_seconds") == 12
    assert value(made, "held_guards") == 4
    assert value(made, "resources", kind="Service", reason="Healthy") == 17
    assert value(made, "build_info", version="0.1.0", environment="trial") == 1
    assert value(metrics(), "notifications_waiting") == 7


def test_what_never_happened_is_infinitely_long_ago():
    assert value(metrics(success_age=NEVER), "last_success_age_seconds") == NEVER


def test_requests_are_counted_by_verb_and_code():
    made = metrics()
    for verb, status in (("PATCH", 200), ("PATCH", 200), ("GET", 0), ("BREW", 418), ("GET", 99999)):
        made.request(verb, status, 0.01)
    assert value(made, "api_requests_total", verb="PATCH", code="200") == 2
    assert value(made, "api_requests_total", verb="GET", code="0") == 1
    assert value(made, "api_requests_total", verb="other", code="418") == 1
    assert value(made, "api_requests_total", verb="GET", code="other") == 1


def test_what_strangers_name_makes_no_series():
    made = metrics(ready={("Service", f"Reason{number}"): 1 for number in range(5000)})
    for number in range(200):
        made.hear(ConflictFound(ObjectId("x.dev", f"Kind{number}", "n", f"name{number}"), Ref("Service", "x", "y"), ()))
        made.hear(condition(f"s{number}", "Ready", "False", f"Why{number}"))
    found = samples(made)
    assert value(made, "conflicts_total", kind="other") == 200
    assert sum(name == "fleetwright_resources" for name, _ in found) <= 41
    assert sum(count for (name, _), count in found.items() if name == "fleetwright_resources") == 5000
    assert not re.search(r"name1|s1\b", str(found))


def test_names_follow_prometheus():
    for family in metrics().registry.collect():
        if family.name.startswith("fleetwright_"):
            assert re.fullmatch(r"[a-z_]+", family.name)
            assert family.documentation.endswith(".")
            if "seconds" in family.name:
                assert family.name.endswith("_seconds")


@pytest.mark.parametrize(
    "accept", ["", "application/openmetrics-text; version=1.0.0", "text/plain;version=1.0.0;escaping=allow-utf-8", "nonsense"]
)
def test_scrapers_get_the_format_that_they_ask_for(accept):
    body, kind = metrics().page(accept)
    assert b"fleetwright_leading 1.0" in body
    assert kind.startswith("application/openmetrics-text" if "openmetrics" in accept else "text/plain")


def test_scrapes_and_happenings_at_once_lose_nothing():
    made = metrics()
    with ThreadPoolExecutor(4) as pool:
        pages = [pool.submit(made.page, "") for _ in range(20)]
        for _ in range(500):
            made.hear(drift())
        assert all(b"fleetwright_" in page.result()[0] for page in pages)
    assert value(made, "drift_repairs_total", kind="Deployment") == 500
