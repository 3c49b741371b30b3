"""Builds with a Dagger engine (>= 0.21): it computes files, and hands out what changed over the parent and the configuration."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NamedTuple

from pipelines.adapters.engine import session as sessions
from pipelines.adapters.engine import smoke
from pipelines.adapters.engine.faults import told
from pipelines.adapters.engine.session import HURRY, Session
from pipelines.adapters.engine.stage import stage
from pipelines.adapters.engine.unpack import unpack
from pipelines.core.dated import EPOCH, Dated, arguments_only, dated, start
from pipelines.ports import BuildFailed, Log, Made, Order

if TYPE_CHECKING:
    import dagger

_DOCKERFILE = ".fleet.Dockerfile"
_IGNORED = f"{_DOCKERFILE}\n{_DOCKERFILE}.dockerignore\n"
"""The folder is filtered already: nothing is left out of it but what is put in here, so its own .dockerignore has no say."""


class Credential(NamedTuple):
    """A registry's user name, and password or token."""

    user: str
    secret: str


class DaggerBuilder:
    """The port `Builder`, by a Dagger engine. Sessions are kept for the next build, and used by one at a time: each build has its own log."""

    def __init__(self, environment: Mapping[str, str], credentials: Mapping[str, Credential] | None = None) -> None:
        """`environment` is what the CLI gets and says where the engine is; `credentials` are by registry host, beside the CLI's own."""
        self._environment = dict(environment)
        self._credentials = dict(credentials or {})
        self._idle: list[Session] = []
        self._busy: set[Session] = set()

    async def build(self, order: Order, into: PurePath, log: Log) -> Made:
        _refuse_another_start(order)
        if order.parent_layout is not None:  # FROM is the engine's own to resolve, and it asks registries only
            raise BuildFailed(f"{order.name}: a Dagger engine takes parents from registries, and this one is in none", "--builder buildah")
        async with self._session(order.name, order.dockerfile, log) as session:
            return await session.watched(self._build(session, order, Path(into)))

    async def run(self, layout: PurePath, command: tuple[str, ...], log: Log) -> None:
        image = await asyncio.to_thread(smoke.read, Path(layout))
        text, arguments = smoke.dockerfile(image.settings, command)
        async with self._session(shlex.join(command), text, log) as session:
            with tempfile.TemporaryDirectory(prefix=".smoke-", dir=Path(layout).parent) as folder:
                archive = Path(folder) / "image.tar"
                await smoke.pack(Path(layout), image, archive)
                said = await session.watched(self._run(session.client, archive, text, arguments))
        for line in said:
            log(line)

    async def _run(self, dag: dagger.Client, archive: Path, text: str, arguments: Mapping[str, str]) -> list[str]:
        """Runs it and returns what it printed: the engine streams nothing of a step without network."""
        from dagger import BuildArg

        root = dag.container().import_(dag.host().file(str(archive), no_cache=True)).rootfs()
        folder = root.with_new_file(_DOCKERFILE, text).with_new_file(f"{_DOCKERFILE}.dockerignore", smoke.IGNORE_NOTHING)
        given = [BuildArg(name, value) for name, value in arguments.items()]
        ran = await folder.docker_build(dockerfile=_DOCKERFILE, build_args=given, no_init=True).sync()
        return [*(await ran.stdout()).splitlines(), *(await ran.stderr()).splitlines()]

    async def close(self) -> None:
        ending = [*self._idle, *self._busy]
        self._idle.clear()
        self._busy.clear()
        await asyncio.gather(*(session.close() for session in ending))

    @asynccontextmanager
    async def _session(self, name: str, dockerfile: str, log: Log) -> AsyncIterator[Session]:
        """A session for one piece of work, whose faults get their names; after any of them the session is not used again."""
        session = await self._take(log)
        try:
            yield session
            await session.settled()
        except BaseException as fault:
            await self._drop(session)
            named = told(name, dockerfile, fault)
            if named is fault:
                raise
            raise named from fault
        session.log = None
        self._busy.discard(session)
        self._idle.append(session)

    async def _take(self, log: Log) -> Session:
        while self._idle:
            session = self._idle.pop()
            if session.alive:
                session.log = log
                self._busy.add(session)
                return session
            await session.close(HURRY)
        session = await sessions.start(self._environment, log)
        self._busy.add(session)
        try:
            for host, known in self._credentials.items():
                secret = session.client.set_secret(f"registry {host}", known.secret)
                await session.watched(session.client.container().with_registry_auth(host, known.user, secret).sync())
        except BaseException:
            await self._drop(session)
            raise
        return session

    async def _drop(self, session: Session) -> None:
        """Ends a session that something went wrong in: what it still runs in the engine ends with it."""
        self._busy.discard(session)
        await asyncio.shield(session.close(HURRY))

    async def _build(self, session: Session, order: Order, into: Path) -> Made:
        dag = session.client
        context = await asyncio.to_thread(stage, Path(order.context), into)
        try:
            built = await self._built(dag, order, dated(order.dockerfile), context).sync()
        finally:
            await asyncio.to_thread(shutil.rmtree, context)
        parent = self._parent(dag, order)
        changes = built.rootfs().changes(parent.rootfs())
        archive, tar = into / "exported.tar", into / "changes.tar"
        try:
            removed = await changes.removed_paths()
            await self._export(built.with_rootfs(changes.layer()), archive)
            unpacked = await unpack(archive, removed, tar)
        finally:
            archive.unlink(missing_ok=True)
        return Made(tar, await self._without_arguments(unpacked.config, order, parent))

    async def _export(self, container: dagger.Container, archive: Path) -> None:
        from dagger import ImageLayerCompression, ImageMediaTypes

        await container.export(
            str(archive), forced_compression=ImageLayerCompression.Uncompressed, media_types=ImageMediaTypes.OCIMediaTypes
        )

    def _built(self, dag: dagger.Client, order: Order, made: Dated, context: Path) -> dagger.Container:
        from dagger import BuildArg, Platform

        folder = (
            dag.host()
            .directory(str(context.absolute()), no_cache=True)
            .with_new_file(_DOCKERFILE, made.text)
            .with_new_file(f"{_DOCKERFILE}.dockerignore", _IGNORED)
        )
        arguments = {**order.args, EPOCH: str(order.source_date)}
        secrets = [dag.set_secret(secret.id, _value(order, secret.file)) for secret in order.secrets]
        return folder.docker_build(
            dockerfile=_DOCKERFILE,
            platform=Platform(order.platform),
            build_args=[BuildArg(name, value) for name, value in sorted(arguments.items())],
            secrets=secrets,
            no_init=True,
        )

    def _parent(self, dag: dagger.Client, order: Order) -> dagger.Container:
        from dagger import Platform

        empty = dag.container(platform=Platform(order.platform))
        return empty.from_(str(order.parent)) if order.parent else empty

    async def _without_arguments(self, config: dict[str, object], order: Order, parent: dagger.Container) -> dict[str, object]:
        """The engine runs steps with their arguments as environment, and leaves them there when a RUN is the last step."""
        environment = [str(pair) for pair in config.get("Env") or ()]  # type: ignore[attr-defined]
        suspects = arguments_only(order.dockerfile) & {pair.partition("=")[0] for pair in environment}
        gone = {name for name in suspects if await parent.env_variable(name) is None}
        return {**config, "Env": [pair for pair in environment if pair.partition("=")[0] not in gone]}


def _refuse_another_start(order: Order) -> None:
    """The parent is what changes are counted from: with another one, everything would seem to have changed."""
    expected, found = str(order.parent or "scratch"), start(order.dockerfile)
    if "$" not in found and found != expected:
        raise BuildFailed(
            f"{order.name}: its Dockerfile starts from {found or 'nothing'}, not from {expected}",
            "let its last FROM name the image's parent",
        )


def _value(order: Order, file: PurePath) -> str:
    try:
        return Path(file).read_text()
    except (OSError, UnicodeError) as fault:
        raise BuildFailed(f"{order.name}: the secret in {file} cannot be read: {fault}", "a secret is a text file") from fault
