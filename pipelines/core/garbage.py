"""Garbage: decides what of a registry nobody needs any more. What is not known to be needless stays."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import field
from datetime import date, datetime, timedelta

from pipelines.core.tags import key_tag
from pipelines.model.oci import Repository
from pipelines.model.stored import Drop, Stored, Sweep
from reconciler.model.value import dataclass

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_DATED = re.compile(r"(\d{8})-[0-9a-f]{6,64}(-[0-9a-f]{6})?(-prev)?")
_PAPER = re.compile(r"(sha256|sha512)-([0-9a-f]{64,128})(\.sig|\.att|\.sbom)?")
_KEY = re.compile(r"k-[0-9a-f]{16,64}")
_PREV = "prev"


@dataclass(frozen=True, slots=True)
class Needed:
    """What is needed, and by what."""

    digests: Mapping[str, str] = field(default_factory=dict)
    """Digest -> who needs it: `fleet.lock`, `runs in production`."""
    tags: Mapping[tuple[Repository, str], str] = field(default_factory=dict)
    """Tags of a repository that somebody names: holds, what runs by a tag."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Content keys, `sha256:<hex>`."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How old something must be to go."""

    today: date
    days: int
    undated: bool = False
    """Whether what has no date that anybody knows may go."""
    dates: Mapping[str, date] = field(default_factory=dict)
    """When builds were made, by digest, where locks said so."""


def digests_in(text: str) -> frozenset[str]:
    """Every digest in a lock of the past, whatever it is of: keys, verdicts and bases are kept as builds are."""
    return frozenset(DIGEST.findall(text))


def subject_of(tag: str) -> str:
    """The digest that a tag like `sha256-<hex>.sig` is about; empty for another tag."""
    found = _PAPER.fullmatch(tag)
    return f"{found[1]}:{found[2]}" if found else ""


def is_ours(tag: str) -> bool:
    """Whether fleet puts tags like this one; every other was put by people or other tools, and what has it stays."""
    return tag == _PREV or any(form.fullmatch(tag) for form in (_DATED, _PAPER, _KEY))


def sweep(stored: Collection[Stored], needed: Needed, terms: Terms) -> Sweep:
    """What may go. A digest that is needed in one repository stays in each."""
    by_place = {(one.repository, one.digest): one for one in stored}
    parts = {(one.repository, child) for one in stored for child in one.children}
    papers = {place for place, one in by_place.items() if any((one.repository, subject) in by_place for subject in one.subjects)}
    kept = {
        place: why for place, one in by_place.items() if (why := _why(one, needed, terms, is_paper=place in papers, is_part=place in parts))
    }
    _close(by_place, kept)
    drops = [Drop(one, _age(one, terms)) for place, one in by_place.items() if place not in kept]
    return Sweep(tuple(sorted(drops, key=_order)), kept, sum(_sizes(by_place, kept)))


def _why(one: Stored, needed: Needed, terms: Terms, *, is_paper: bool, is_part: bool) -> str:
    """Why it stays for its own sake; empty where nothing says so. What is about something goes or stays with that, and an undated part, too."""
    if why := needed.digests.get(one.digest):
        return why
    keys = {key_tag(key): why for key, why in needed.keys.items()}
    for tag in one.version.tags:
        if why := needed.tags.get((one.repository, tag)) or keys.get(tag):
            return why
        if not is_ours(tag):
            return f"has the tag {tag}"
    made = made_on(one, terms)
    if is_paper or (is_part and made is None):
        return ""
    if made is None:
        return "" if terms.undated else "nobody knows how old it is"
    return f"of {made}" if made > terms.today - timedelta(days=terms.days) else ""


def made_on(one: Stored, terms: Terms) -> date | None:
    """When it came to be, as far as anything says: the registry, a lock, or its youngest tag."""
    said = [one.version.made, terms.dates.get(one.digest), *(_dated(tag) for tag in one.version.tags)]
    return max((day for day in said if day is not None), default=None)


def _dated(tag: str) -> date | None:
    found = _DATED.fullmatch(tag)
    try:
        return datetime.strptime(found[1], "%Y%m%d").date() if found else None  # noqa: DTZ007  a day has no zone
    except ValueError:
        return None


def _close(all: Mapping[tuple[Repository, str], Stored], kept: dict[tuple[Repository, str], str]) -> None:
    """Children of an index that stays, and papers about what stays, stay."""
    papers: dict[tuple[Repository, str], list[Stored]] = {}
    for one in all.values():
        for subject in one.subjects:
            papers.setdefault((one.repository, subject), []).append(one)
    due = list(kept)
    while due:
        place = due.pop()
        repository, digest = place
        below = [(child, f"is part of {digest[:19]}") for child in all[place].children]
        about = [(paper.digest, f"is about {digest[:19]}") for paper in papers.get(place, ())]
        for found, why in (*below, *about):
            if (repository, found) in all and (repository, found) not in kept:
                kept[repository, found] = why
                due.append((repository, found))


def _age(one: Stored, terms: Terms) -> str:
    made = made_on(one, terms)
    if one.subjects and made is None:
        return "what it is about goes"
    return f"of {made}, and nothing names it" if made else "nothing names it, and nobody knows how old it is"


def _order(one: Drop) -> tuple[str, int, str]:
    """Papers first, then indexes, then what those name: nothing that is there ever names something that is gone."""
    rank = 0 if one.stored.subjects else 1 if one.stored.children else 2
    return str(one.stored.repository), rank, one.stored.digest


def _sizes(all: Mapping[tuple[Repository, str], Stored], kept: Collection[tuple[Repository, str]]) -> Iterator[int]:
    for repository in {repository for repository, _ in all}:
        here = [(place in kept, one) for place, one in all.items() if place[0] == repository]
        stays = {digest for stays, one in here if stays for digest in one.blobs}
        goes: dict[str, int] = {}
        for is_kept, one in here:
            if not is_kept:
                goes |= {digest: size for digest, size in one.blobs.items() if digest not in stays}
        yield sum(goes.values())


def needed_by(found: Iterable[tuple[str, Collection[str]]]) -> dict[str, str]:
    """Digest -> who needs it first."""
    said: dict[str, str] = {}
    for why, digests in found:
        for digest in digests:
            said.setdefault(digest, why)
    return said
