"""Database: Trivy's database of vulnerabilities on disk, by its own metadata."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from pipelines.ports import NoVerdict

SCHEMA = 2
UPDATE = "run `fleet images database update`"
_CLOCKS_DIFFER = timedelta(hours=1)


def made_at(cache: Path, now: datetime, max_age: timedelta) -> str:
    """When it was made, RFC 3339. Raises NoVerdict where it is missing, damaged, too old or from the future."""
    moment = made(cache)
    age = now - moment
    if age < -_CLOCKS_DIFFER:
        raise NoVerdict(f"Trivy's database says it was made at {rfc3339(moment)}, which is in the future", f"set the clock, or {UPDATE}")
    if age > max_age:
        raise NoVerdict(f"Trivy's database was made at {rfc3339(moment)}: {_spoken(age)} ago, more than {_spoken(max_age)}", UPDATE)
    return rfc3339(moment)


def made(cache: Path) -> datetime:
    """When the database in this cache folder was made. Raises NoVerdict."""
    try:
        facts = orjson.loads((cache / "db" / "metadata.json").read_bytes())
        moment = datetime.fromisoformat(facts["UpdatedAt"])
        version, size = facts["Version"], (cache / "db" / "trivy.db").stat().st_size
    except FileNotFoundError:
        raise NoVerdict(f"Trivy has no database in {cache}", UPDATE) from None
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise NoVerdict(f"Trivy's database in {cache} is damaged: {fault}", UPDATE) from None
    if version != SCHEMA or not size:
        raise NoVerdict(f"Trivy's database in {cache} is {f'of schema {version}, not {SCHEMA}' if size else 'empty'}", UPDATE)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def size(cache: Path) -> int:
    """Bytes of the databases in a cache folder, which are mapped into memory."""
    return sum(path.stat().st_size for path in cache.glob("*/*.db"))


def rfc3339(moment: datetime) -> str:
    """In UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _spoken(age: timedelta) -> str:
    hours = age / timedelta(hours=1)
    return f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"
