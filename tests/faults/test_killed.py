"""An operator that is killed before or after any write of a run is taken up by the next one, as if nothing had been."""

from __future__ import annotations

import random

import pytest

from tests.faults.kills import Kill, reference, violations
from tests.faults.scenarios import SCENARIOS, Scenario

PAIRS = 4
"""Second kills, while the next operator recovers, for each scenario."""


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name.replace(" ", "-"))
def test_a_kill_at_any_write_of_a_run_changes_nothing_about_its_end(scenario: Scenario) -> None:
    writes = reference(scenario).writes
    found = {
        kill: wrong for at in range(1, writes + 1) for after in (False, True) if (wrong := violations(scenario, [kill := Kill(at, after)]))
    }
    assert not found, f"{len(found)} of {2 * writes}: {dict(list(found.items())[:3])}"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name.replace(" ", "-"))
def test_nor_does_another_kill_while_the_next_one_recovers(scenario: Scenario) -> None:
    chance, writes = random.Random(scenario.name), reference(scenario).writes
    for _ in range(PAIRS):
        kills = [Kill(chance.randint(1, writes), chance.random() < 0.5) for _ in range(2)]
        assert not violations(scenario, kills), kills
