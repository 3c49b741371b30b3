"""Endorse: sign builds that a lock names, some at a time; one that cannot be signed keeps no other from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pipelines.flow.each import each
from pipelines.flow.sign import sign_locked
from pipelines.model.trust import Subject
from pipelines.ports import PrivateKey, Registry, RegistryFault

AT_ONCE = 4


async def endorse(
    registry: Registry, subjects: Iterable[Subject], key: PrivateKey, told: Callable[[Subject], None]
) -> Mapping[Subject, RegistryFault]:
    """Sign each; `told` hears of those that are signed. What could not be signed, and why."""
    failed: dict[Subject, RegistryFault] = {}

    async def one(subject: Subject) -> None:
        try:
            await sign_locked(registry, subject, key)
            told(subject)
        except RegistryFault as fault:
            failed[subject] = fault

    await each(subjects, one, AT_ONCE)
    return failed
