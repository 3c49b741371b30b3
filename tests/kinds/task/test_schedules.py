"""Schedules: what is taken as cron, and how intervals are said to Kubernetes."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest
import yaml
from croniter import croniter

from reconciler.kinds.task.schedules import NeverFires, celery_schedule, parse_cron, schedule_cron
from reconciler.kinds.task.spec import Schedule

TABLE = yaml.safe_load((Path(__file__).parent / "data" / "schedules.yaml").read_text())


@pytest.mark.parametrize("text", TABLE["taken"])
def test_cron_that_both_schedulers_read_alike_is_taken(text):
    assert parse_cron(text) == tuple(text.split())


@pytest.mark.parametrize(("text", "said"), TABLE["refused"].items())
def test_cron_that_they_do_not_is_refused_with_a_sentence(text, said):
    with pytest.raises(ValueError, match=re.escape(said)) as refusal:
        parse_cron(text)
    assert isinstance(refusal.value, NeverFires) == ("never fires" in said)


@pytest.mark.parametrize(("every", "cron"), TABLE["every"].items())
def test_an_interval_that_divides_an_hour_or_a_day_is_said_as_cron(every, cron):
    schedule = Schedule.model_validate({"every": every})
    assert schedule_cron(schedule) == cron
    first = croniter(cron, datetime(2026, 1, 4)).get_next(datetime)
    assert (croniter(cron, first).get_next(datetime) - first).total_seconds() * 1000 == schedule.every


@pytest.mark.parametrize("every", TABLE["not every"])
def test_any_other_interval_is_refused(every):
    with pytest.raises(ValueError, match="must divide an hour or a day"):
        schedule_cron(Schedule.model_validate({"every": every}))


def test_a_cron_schedule_reaches_celery_in_its_own_words():
    schedule = Schedule.model_validate({"cron": "0 4 * * sun", "timezone": "Europe/Berlin"})
    assert celery_schedule(schedule) == {
        "crontab": {"minute": "0", "hour": "4", "day_of_month": "*", "month_of_year": "*", "day_of_week": "sun"},
        "timezone": "Europe/Berlin",
    }


def test_an_interval_reaches_celery_in_seconds():
    assert celery_schedule(Schedule.model_validate({"every": "90s"})) == {"every": 90.0}
