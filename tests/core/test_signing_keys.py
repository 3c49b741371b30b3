"""Keys that sign images, in fleet.yaml: what is refused with its line, and whose days count."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.core.environment import environment
from reconciler.core.parse import parse
from reconciler.core.trust import trust
from reconciler.model.documents import SourceTree
from reconciler.model.fleet import Environment, Fleet
from reconciler.shell.report.text import dotted
from tests.core.kinds import KINDS

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "signing.yaml").read_text())
KEY = """\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEUxqwcyESqyd4jtkLP6Lfa4RRiv5G
dP310qw9tbzVEvSFWluLpT4RiKsySaKpebgwZA6tm0MkhggzRUSyAK2M4A==
-----END PUBLIC KEY-----
"""


def fleet_of(signing: Any, own: Any = None) -> Fleet:
    spec = {
        "defaultEnvironment": "trial",
        "environments": {"trial": {"target": {"memory": {}}, **({"signing": own} if own else {})}},
        **({"signing": signing} if signing else {}),
    }
    text = yaml.safe_dump(
        {"apiVersion": "fleetwright.dev/v1alpha1", "kind": "Fleet", "metadata": {"name": "f"}, "spec": spec}, sort_keys=False
    )
    return parse(SourceTree("r", False, {"fleet.yaml": text.encode()}), KINDS)


def given(value: Any) -> Any:
    """With the key in the place of its word."""
    match value:
        case dict():
            return {name: given(inner) for name, inner in value.items()}
        case "KEY":
            return KEY
        case _:
            return value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "-"))
def test_keys_are_strict(case: dict[str, Any]) -> None:
    fleet = fleet_of(given(case["signing"]))
    found = [finding for finding in fleet.findings if finding.code.startswith("SPC")]
    wanted = case.get("found", [])
    assert [(one.code, dotted(one.place.pointer)) for one in found] == [(one["code"], one["path"]) for one in wanted]
    for finding, one in zip(found, wanted, strict=True):
        assert one.get("says", "") in finding.message
        assert finding.place.line > 4
        assert finding.fix
        assert "hides" not in case or case["hides"] not in finding.message
    assert (fleet.spec is None) is bool(wanted)


def with_keys(**days: tuple[str, str]) -> dict[str, Any]:
    return {
        "keys": {name: {"publicKey": KEY, "from": date.fromisoformat(a), "until": date.fromisoformat(b)} for name, (a, b) in days.items()}
    }


def where(fleet: Fleet) -> Environment:
    found = environment(fleet, None)
    assert isinstance(found, Environment)
    return found


def told(fleet: Fleet, today: str) -> list[str]:
    return [finding.message for finding in trust(fleet, where(fleet), date.fromisoformat(today))]


def test_a_key_counts_on_its_first_and_its_last_day() -> None:
    fleet = fleet_of(with_keys(a=("2026-01-01", "2026-12-31")))
    assert told(fleet, "2026-01-01") == told(fleet, "2026-12-31") == []
    assert told(fleet, "2025-12-31") == ["no signing key counts on 2025-12-31: the next one counts from 2026-01-01 on"]
    assert told(fleet, "2027-01-01") == ["no signing key counts on 2027-01-01: the last one, a, counted until 2026-12-31"]


def test_between_two_keys_the_next_one_is_named() -> None:
    fleet = fleet_of(with_keys(a=("2026-01-01", "2026-03-31"), b=("2026-05-01", "2026-12-31")))
    assert told(fleet, "2026-04-15") == ["no signing key counts on 2026-04-15: the next one counts from 2026-05-01 on"]


def test_without_keys_nothing_is_said() -> None:
    assert told(fleet_of(None), "2026-11-21") == []


def test_an_environment_has_keys_of_its_own_and_the_finding_stands_there() -> None:
    fleet = fleet_of(with_keys(a=("2026-01-01", "2026-12-31")), with_keys(b=("2020-01-01", "2020-12-31")))
    assert set(where(fleet).signing.keys) == {"b"}
    (finding,) = trust(fleet, where(fleet), date(2026, 11, 21))
    assert (finding.code, finding.severity, dotted(finding.place.pointer)) == ("SGN001", "warning", "spec.environments.trial.signing.keys")
    plain = fleet_of(with_keys(a=("2020-01-01", "2020-12-31")))
    (finding,) = trust(plain, where(plain), date(2026, 11, 21))
    assert dotted(finding.place.pointer) == "spec.signing.keys"
    assert finding.place.line > 1


def test_an_environment_without_keys_of_its_own_takes_the_fleets() -> None:
    fleet = fleet_of(with_keys(a=("2026-01-01", "2026-12-31")))
    assert set(where(fleet).signing.keys) == {"a"}
    assert replace(where(fleet), signing=where(fleet_of(None)).signing).signing.keys == {}
