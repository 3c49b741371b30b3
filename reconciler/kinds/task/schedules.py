"""Schedules as the two schedulers take them: Celery's crontab and Kubernetes' CronJob."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from reconciler.kinds.task.spec import Schedule
from reconciler.model.quantities import format_duration

_NAMES = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
    "sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6,
}  # fmt: skip
_ATOM = re.compile(r"^(\*|[0-9]{1,2}|[a-z]{3})(-([0-9]{1,2}|[a-z]{3}))?(/[0-9]{1,3})?$", re.IGNORECASE)
_FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000
_EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001 - any day does: whether a schedule ever fires does not depend on it


class NeverFires(ValueError):
    """A cron expression that is well formed and that no date matches."""


def parse_cron(text: str) -> tuple[str, str, str, str, str]:
    """The five fields of a cron expression, in the part of the language that Celery and Kubernetes read alike.

    Raises ValueError with a sentence, and NeverFires where no date matches (within 50 years).
    """
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"{text!r} has {len(fields)} fields; five are needed: minute, hour, day of month, month, day of week")
    for name, bounds, value in zip(_FIELDS, _BOUNDS, fields, strict=True):
        for atom in value.split(","):
            _check_atom(name.replace("_", " "), bounds, atom)
    if fields[2] != "*" and fields[4] != "*":
        raise ValueError("day of month and day of week are both narrowed: Kubernetes runs on either, Celery only on both")
    if fields[2] != "*" and fields[3] != "*":  # any day is in some month, and any month has days
        _find_a_date(text)
    return fields[0], fields[1], fields[2], fields[3], fields[4]


def _find_a_date(text: str) -> None:
    from croniter import CroniterBadDateError, croniter  # a tenth of the time that a lint takes: only where there is a doubt

    try:
        croniter(text, _EPOCH).get_next(datetime)
    except CroniterBadDateError:
        raise NeverFires(f"{text!r} never fires: no date matches") from None


def _check_atom(name: str, bounds: tuple[int, int], atom: str) -> None:
    match = _ATOM.match(atom)
    if match is None:
        raise ValueError(f"{atom!r} is not a {name}: numbers, ranges, lists and steps are known")
    first, last, step = match[1], match[3], match[4]
    numbers = [_number(name, bounds, part) for part in (first, last) if part is not None and part != "*"]
    if last is not None and (first == "*" or numbers != sorted(numbers)):
        raise ValueError(f"{atom!r} is not a {name}: a range goes from a number up to a number")
    if step is not None and (int(step[1:]) < 1 or (first != "*" and last is None)):
        raise ValueError(f"{atom!r} is not a {name}: a step goes with `*` or a range, such as */15")


def _number(name: str, bounds: tuple[int, int], part: str) -> int:
    number = int(part) if part.isdigit() else _NAMES.get(part.lower(), -1)
    if not bounds[0] <= number <= bounds[1]:
        raise ValueError(f"{part} is not a {name}: it is from {bounds[0]} to {bounds[1]}")
    return number


def celery_schedule(schedule: Schedule) -> dict[str, Any]:
    """The schedule as the runtime makes a Celery schedule of it: `{every: SECONDS}`, or the fields of `crontab` and their time zone."""
    if schedule.every is not None:
        return {"every": schedule.every / 1000}
    assert schedule.cron is not None
    return {"crontab": dict(zip(_FIELDS, parse_cron(schedule.cron), strict=True)), "timezone": schedule.timezone}


def schedule_cron(schedule: Schedule) -> str:
    """The schedule as a cron expression. Raises ValueError where `every` does not divide an hour or a day into whole minutes."""
    if schedule.cron is not None:
        return " ".join(parse_cron(schedule.cron))
    every = schedule.every
    assert every is not None
    if every % _MINUTE == 0 and _HOUR % every == 0:
        minutes = every // _MINUTE
        return "0 * * * *" if minutes == 60 else "* * * * *" if minutes == 1 else f"*/{minutes} * * * *"
    if every % _HOUR == 0 and _DAY % every == 0:
        hours = every // _HOUR
        return "0 0 * * *" if hours == 24 else f"0 */{hours} * * *"
    if every == 7 * _DAY:
        return "0 0 * * 0"
    raise ValueError(f"a cron schedule cannot say `every: {format_duration(every)}`: it must divide an hour or a day into whole minutes")
