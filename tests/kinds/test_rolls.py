"""What restarts a service's pods, and what leaves them alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kinds.cases import Case, merged, objects

GIVEN: dict[str, Any] = {
    "Service/acme/api": {"replicas": 2, "env": {"A": "one", "B": "two"}, "forceImageTag": {"tag": "20261118-4be1d07", "reason": "broken"}},
    "Service/acme/caller": {"image": "web", "machine": "big", "hardware": "cpu"},
}
LOCK = {"web": ["20261121-9f3c2ab", "20261118-4be1d07"]}

LEAVES_ALONE = {
    "more replicas": {"Service/acme/api": {"replicas": 5}},
    "an autoscaler": {"Service/acme/api": {"replicas": None, "autoscale": {"max": 4}}},
    "another wave": {"Service/acme/api": {"wave": 10}},
    "a host": {"Service/acme/api": {"expose": {"host": "api.example"}}},
    "a disruption budget": {"Service/acme/api": {"disruption": {"maxUnavailable": 2}}},
    "an open address": {"Service/acme/api": {"egress": {"web": {"cidr": "0.0.0.0/0"}}}},
    "another reason for its hold": {"Service/acme/api": {"forceImageTag": {"reason": "still broken", "until": "2027-01-01"}}},
    "a caller": {"Service/acme/caller": {"dependsOn": ["api"]}},
    "a dependency": {"Service/acme/api": {"dependsOn": ["caller"]}},
    "another tenant": {"Tenant/other": {"tier": "team"}},
    "another profile that it does not use": {"Fleet/fleet": {"hardware": {"huge": {"cpu": 8, "memory": "16Gi"}}}},
}
ROLLS = {
    "a variable": {"Service/acme/api": {"env": {"A": "three"}}},
    "a secret": {"Service/acme/api": {"secrets": {"KEY": "api/key"}}},
    "a file": {"Service/acme/api": {"config": {"/etc/api.yaml": "a: 1"}}},
    "another port": {"Service/acme/api": {"ports": {"http": 9090}}},
    "another check": {"Service/acme/api": {"health": {"http": "/ready"}}},
    "more memory": {"Fleet/fleet": {"hardware": {"cpu": {"memory": "768Mi"}}}},
    "another build": {"Service/acme/api": {"forceImageTag": {"tag": "20261121-9f3c2ab"}}},
    "no hold": {"Service/acme/api": {"forceImageTag": None}},
    "a place for its reports": {"Fleet/fleet": {"observability": {"big": {"service": "acme/caller"}}}},
}


def _deployment(change: dict[str, Any]) -> dict[str, Any]:
    return objects(Case("service", "rolls", merged(GIVEN, change), None, {}, {}, LOCK))["Deployment/acme/api"]


def _variable(deployment: dict[str, Any], name: str) -> str:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return next(entry["value"] for entry in container["env"] if entry["name"] == name)


@pytest.mark.parametrize("change", LEAVES_ALONE.values(), ids=LEAVES_ALONE)
def test_pods_are_left_alone_by(change: dict[str, Any]):
    assert _deployment(change)["spec"]["template"] == _deployment({})["spec"]["template"]


@pytest.mark.parametrize("change", ROLLS.values(), ids=ROLLS)
def test_pods_are_replaced_by(change: dict[str, Any]):
    assert _deployment(change)["spec"]["template"] != _deployment({})["spec"]["template"]


def test_the_order_of_variables_does_not_matter():
    turned = {"Service/acme/api": {**GIVEN["Service/acme/api"], "env": {"B": "two", "A": "one"}}}
    again = objects(Case("service", "turned", {**GIVEN, **turned}, None, {}, {}, LOCK))["Deployment/acme/api"]
    assert again == _deployment({})


def test_the_digest_of_a_spec_is_the_same_whatever_image_runs():
    held, free = _deployment({}), _deployment({"Service/acme/api": {"forceImageTag": None}})
    assert _variable(held, "IMAGE_DIGEST") != _variable(free, "IMAGE_DIGEST")
    assert _variable(held, "SPEC_DIGEST") == _variable(free, "SPEC_DIGEST")


def test_the_digest_of_a_spec_changes_with_what_it_says_about_the_pod():
    assert _variable(_deployment(ROLLS["a variable"]), "SPEC_DIGEST") != _variable(_deployment({}), "SPEC_DIGEST")


def test_a_task_that_changes_gives_its_workers_new_settings():
    jobs = {
        "Service/acme/jobs": {
            "image": "web",
            "machine": "big",
            "hardware": "cpu",
            "worker": {"app": "a.b", "broker": {"secret": "b/url"}, "queues": {"x": {}}, "beat": {}},
        },
        "Task/acme/tick": {"worker": "jobs", "entrypoint": "a.b:tick", "schedule": {"every": "60s"}, "timeLimit": "30s"},
    }
    names = []
    for change in ({}, {"Task/acme/tick": {"schedule": {"every": "90s"}}}):
        found = objects(Case("service", "tasks", merged(jobs, change), None, {}, {}, LOCK))
        (settings,) = (name.rpartition("/")[2] for name in found if name.startswith("ConfigMap/acme/jobs-celery-"))
        mounted = [
            volume["configMap"]["name"]
            for volume in found["Deployment/acme/jobs-x"]["spec"]["template"]["spec"]["volumes"]
            if "configMap" in volume
        ]
        assert mounted == [settings]
        names.append(settings)
    assert len(set(names)) == 2
