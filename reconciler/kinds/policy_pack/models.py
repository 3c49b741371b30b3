"""Model registries: what an alias means, in which order models are tried, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from reconciler.kinds.policy_pack.spec import Model, Models
from reconciler.model.findings import Pointer


class Fault(NamedTuple):
    """Something wrong with a registry, at a pointer from its root."""

    loop: bool
    """It goes in a circle; otherwise it leads nowhere."""
    pointer: Pointer
    message: str
    fix: str


def target(models: Models, name: str) -> tuple[str, Model] | None:
    """The alias that `name` is or is another name for, with its model; None where that leads nowhere or in a circle."""
    seen: set[str] = set()
    while name in models.aliases and name not in seen:
        seen.add(name)
        model = models.aliases[name]
        if model.alias is None:
            return name, model
        name = model.alias
    return None


def order(models: Models, name: str) -> tuple[str, ...]:
    """Aliases of models in the order they are tried when `name` is asked for: itself, then its fallbacks, each once."""
    tried: dict[str, None] = {}
    _try(models, name, tried)
    return tuple(tried)


def _try(models: Models, name: str, tried: dict[str, None]) -> None:
    found = target(models, name)
    if found is None or found[0] in tried:
        return
    tried[found[0]] = None
    for following in _fallbacks(models, found[1]):
        _try(models, following, tried)


def _fallbacks(models: Models, model: Model) -> list[str]:
    if model.fallback is None:
        return []
    names = list(model.fallback.to)
    match model.fallback.order:
        case "ordered":
            return names
        case "priority":
            return sorted(names, key=lambda name: -_priority(models, name))
        case "regional":
            home = _region(models, model)
            return sorted(names, key=lambda name: (found := target(models, name)) is None or _region(models, found[1]) != home)


def _priority(models: Models, name: str) -> int:
    found = target(models, name)
    return found[1].priority if found is not None else -1


def _region(models: Models, model: Model) -> str | None:
    provider = models.providers.get(model.provider) if model.provider is not None else None
    return provider.region if provider is not None else None


def faults(models: Models) -> Iterator[Fault]:
    """Aliases, providers and auth profiles that are not there, and chains that come back to where they began."""
    if models.default is not None and models.default not in models.aliases:
        yield Fault(False, ("default",), f"{models.default!r} is no alias", _near(models.default, models.aliases))
    for name, model in models.aliases.items():
        yield from _dangling(models, ("aliases", name), model)
    for cycle in _cycles(models):
        message = f"the chain goes in a circle: {' -> '.join((*cycle, cycle[0]))}"
        yield Fault(True, ("aliases", cycle[0]), message, "take one of these out: no fallback may lead back to a model that already failed")


def _dangling(models: Models, pointer: Pointer, model: Model) -> Iterator[Fault]:
    if model.alias is not None and model.alias not in models.aliases:
        yield Fault(False, pointer, f"{model.alias!r} is no alias", _near(model.alias, models.aliases))
    if model.provider is not None:
        provider = models.providers.get(model.provider)
        if provider is None:
            fix = _near(model.provider, models.providers)
            yield Fault(False, (*pointer, "provider"), f"{model.provider!r} is no provider", fix)
        else:
            for position, profile in enumerate(model.auth):
                if profile not in provider.auth:
                    message = f"provider {model.provider} has no auth profile {profile!r}"
                    yield Fault(False, (*pointer, "auth", position), message, _near(profile, provider.auth))
    if model.fallback is not None:
        for position, name in enumerate(model.fallback.to):
            if name not in models.aliases:
                yield Fault(False, (*pointer, "fallback", "to", position), f"{name!r} is no alias", _near(name, models.aliases))


def _near(name: str, names: Mapping[str, object]) -> str:
    near = get_close_matches(name, names, 1)
    return f"did you mean {near[0]!r}?" if near else f"declare it, or use one of: {', '.join(sorted(names)) or 'none is declared'}"


def _cycles(models: Models) -> Iterator[tuple[str, ...]]:
    """Each circle of aliases and fallbacks once, beginning at its first name. Iterative: chains come from pull requests."""
    following = {
        name: [model.alias] if model.alias is not None else list(model.fallback.to) if model.fallback is not None else []
        for name, model in models.aliases.items()
    }
    done: set[str] = set()
    for root in sorted(following):
        path: list[str] = []
        stack = [(root, 0)] if root not in done else []
        while stack:
            name, depth = stack.pop()
            while len(path) > depth:
                done.add(path.pop())
            if name in path:
                cycle = path[path.index(name) :]
                first = cycle.index(min(cycle))
                yield (*cycle[first:], *cycle[:first])
            elif name in following and name not in done:
                path.append(name)
                stack.extend((child, depth + 1) for child in reversed(following[name]))
        done.update(path)
