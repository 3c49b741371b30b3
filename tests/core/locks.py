"""Locks for tests: builds that a person can tell apart, and locks that people and builds have changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from hashlib import sha256

from hypothesis import strategies as st

from reconciler.core.locking import TagTaken, adopt
from reconciler.core.relock import make_current, mark_bad, note_base, remove_image
from reconciler.model.lock import Build, Lock

FIRST = date(2026, 11, 1)
Change = Callable[[Lock], Lock]


def digest(of: str) -> str:
    return "sha256:" + sha256(of.encode()).hexdigest()


def build(name: str, day: int = 1, **more: object) -> Build:
    """A build of the day `day` of November; its digest and its tag follow from its name."""
    return replace(
        Build(digest(name), f"t-{name}", digest(f"key of {name}"), FIRST + timedelta(days=day - 1), digest("verdict"), digest("sbom")),
        **more,
    )


def locked(*builds: Build, image: str = "web", lock: Lock | None = None) -> Lock:
    """A lock of builds, adopted in turn."""
    found = lock or Lock()
    for one in builds:
        found = adopt(found, image, one)
    return found


def _adopted(image: str, name: str, day: int) -> Change:
    def change(lock: Lock) -> Lock:
        try:
            return adopt(lock, image, build(f"{image}-{name}", day))
        except TagTaken:
            return lock

    return change


def _on_some(change: Callable[[Lock, str, str], Lock], image: str, place: int) -> Change:
    """A change of the build at that place, if there is one."""

    def changed(lock: Lock) -> Lock:
        if image not in lock.images:
            return lock
        builds = lock.images[image].builds
        return change(lock, image, builds[place % len(builds)].digest)

    return changed


def _removed(image: str) -> Change:
    return lambda lock: remove_image(lock, image) if image in lock.images else lock


def _looked_up(name: str, what: str, day: int) -> Change:
    return lambda lock: note_base(lock, f"docker.io/{name}:1", digest(what), FIRST + timedelta(days=day - 1))


images = st.sampled_from(["api", "web"])
days = st.integers(1, 6)
changes: st.SearchStrategy[Change] = st.one_of(
    st.builds(_adopted, images, st.sampled_from("abcdefghijklmnop"), days),
    st.builds(_on_some, st.sampled_from([mark_bad, make_current]), images, st.integers(0, 9)),
    st.builds(_removed, images),
    st.builds(_looked_up, st.sampled_from(["python", "redis"]), st.sampled_from("xyz"), days),
)


def changed(lock: Lock, some: list[Change]) -> Lock:
    for change in some:
        lock = change(lock)
    return lock


locks = st.lists(changes, max_size=10).map(lambda some: changed(Lock(), some))
threes = locks.flatmap(
    lambda base: st.tuples(
        st.just(base),
        st.lists(changes, max_size=4).map(lambda some: changed(base, some)),
        st.lists(changes, max_size=4).map(lambda some: changed(base, some)),
    )
)
"""An ancestor and two locks that came from it."""
