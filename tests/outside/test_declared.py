"""What `fleet.yaml` says of notifications."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from reconciler.core.fleet_file import read_fleet
from reconciler.model.documents import SourceTree
from reconciler.model.fleet import Notification

GOOD = [
    {"type": "webhook", "url": "https://hooks.example/fleet", "secret": "key"},
    {"type": "webhook", "urlFrom": "address", "secret": "key", "events": ["drift"], "privateHosts": ["alerts.monitoring.svc"]},
    {"type": "slack", "urlFrom": "operations-webhook", "events": ["blocked", "held", "failed", "drift"]},
    {"type": "github", "secret": "token", "repository": "acme/fleet"},
    {"type": "github", "secret": "token", "repository": "acme/.github", "url": "https://github.acme.example/api/v3"},
    {"type": "pull-request", "secret": "token", "repository": "acme/fleet"},
    {
        "type": "pull-request",
        "secret": "token",
        "repository": "acme/fleet",
        "branch": "release/v1.2",
        "url": "https://github.acme.example/api/v3",
    },
]
BAD = [
    ({"type": "mail"}, "webhook"),
    ({"type": "webhook", "url": "https://hooks.example"}, "needs `secret`"),
    ({"type": "webhook", "secret": "key"}, "either `url` or `urlFrom`"),
    ({"type": "webhook", "url": "https://x.example", "urlFrom": "f", "secret": "key"}, "either `url` or `urlFrom`"),
    ({"type": "slack", "url": "https://hooks.slack.com/x", "urlFrom": "f"}, "takes no `url`"),
    ({"type": "slack"}, "needs `urlFrom`"),
    ({"type": "slack", "urlFrom": "f", "secret": "key"}, "takes no `secret`"),
    ({"type": "github", "secret": "token"}, "needs `repository`"),
    ({"type": "github", "secret": "token", "repository": "acme/fleet", "branch": "main"}, "takes no `branch`"),
    ({"type": "pull-request", "repository": "acme/fleet"}, "needs `secret`"),
    ({"type": "pull-request", "secret": "token"}, "needs `repository`"),
    ({"type": "pull-request", "secret": "token", "repository": "acme/fleet", "urlFrom": "f"}, "takes no `urlFrom`"),
    ({"type": "pull-request", "secret": "token", "repository": "acme/fleet", "branch": "a/../b"}, "branch"),
    ({"type": "pull-request", "secret": "token", "repository": "acme/fleet", "branch": "a?ref=b"}, "branch"),
    ({"type": "github", "secret": "token", "repository": "acme/fleet/../x"}, "repository"),
    ({"type": "github", "secret": "token", "repository": "acme/.."}, "repository"),
    ({"type": "slack", "urlFrom": "../../etc/passwd"}, "urlFrom"),
    ({"type": "slack", "urlFrom": ".."}, "urlFrom"),
    ({"type": "webhook", "url": "https://ana:pw@hooks.example", "secret": "key"}, "url"),
    ({"type": "webhook", "url": "file:///etc/passwd", "secret": "key"}, "url"),
    ({"type": "slack", "urlFrom": "f", "events": ["everything"]}, "events"),
]


@pytest.mark.parametrize("value", GOOD, ids=str)
def test_a_target_is_one_of_four_types(value):
    assert Notification.model_validate(value).type == value["type"]


@pytest.mark.parametrize(("value", "why"), BAD, ids=str)
def test_what_a_type_does_not_take_is_refused(value, why):
    with pytest.raises(ValidationError, match=why):
        Notification.model_validate(value)


def test_a_finding_says_where_and_what():
    text = """apiVersion: fleetwright.dev/v1alpha1
kind: Fleet
metadata: {name: acme}
spec:
  defaultEnvironment: trial
  notifications:
    ops: {type: slack, url: https://hooks.slack.com/x}
  environments:
    trial: {target: {memory: {}}}
"""
    (finding,) = read_fleet(SourceTree("rev", False, {"fleet.yaml": text.encode()})).findings
    assert str(finding.place).startswith("fleet.yaml:7:")
    assert "takes no `url`" in finding.message or "needs `urlFrom`" in finding.message
