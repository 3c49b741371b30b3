"""Asks whether an engine is there before the Dagger CLI does, which would try for ten minutes and not say so."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import Mapping
from typing import assert_never

from pipelines.adapters.engine.address import RUNNER, Address, Port, Socket, Tool, Unknown
from pipelines.ports import BuilderMissing

PATIENCE = 4.0
"""Seconds for the whole question."""
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04\x00" + bytes(4)
"""A client's preface and an empty SETTINGS frame (RFC 9113, 3.4); a server answers with SETTINGS of its own at once."""
_SETTINGS = 4
_FIX = f"start an engine, or say where one is by {RUNNER} (unix:///run/dagger/engine.sock, tcp://HOST:PORT, container://NAME); or use `builder: buildah`"


async def probe(where: Address, environment: Mapping[str, str]) -> None:
    """Returns when an engine can be expected there; BuilderMissing within five seconds when not."""
    try:
        async with asyncio.timeout(PATIENCE):
            await _ask(where, environment)
    except TimeoutError:
        raise BuilderMissing(f"the Dagger engine at {_name(where)} does not answer", _FIX) from None
    except OSError as fault:
        raise BuilderMissing(f"no Dagger engine at {_name(where)}: {fault.strerror or fault}", _FIX) from fault


async def _ask(where: Address, environment: Mapping[str, str]) -> None:
    match where:
        case Socket(path):
            await _greet(await asyncio.open_unix_connection(path), where)
        case Port(host, port, tls=False):
            await _greet(await asyncio.open_connection(host, port), where)
        case Port(host, port):
            await _shake_hands(host, port)
        case Tool(questions, _):
            await _first_answers(questions, environment)
        case Unknown(why):
            raise BuilderMissing(f"{RUNNER} is of no use: {why}", _FIX)
        case _:
            assert_never(where)


async def _greet(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], where: Address) -> None:
    """Whether what accepts the connection speaks HTTP/2, as engines do. A stopped engine's kernel accepts connections all the same."""
    reader, writer = streams
    try:
        writer.write(_HELLO)
        await writer.drain()
        head = await reader.readexactly(9)
    except (asyncio.IncompleteReadError, ConnectionError):
        raise BuilderMissing(f"what listens at {_name(where)} is no Dagger engine: it hangs up", _FIX) from None
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    if head[3] != _SETTINGS:
        raise BuilderMissing(f"what listens at {_name(where)} is no Dagger engine: it does not speak HTTP/2", _FIX)


async def _shake_hands(host: str, port: int) -> None:
    """A TLS handshake; whom to trust is the CLI's to say, which knows the certificates."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with contextlib.suppress(ssl.SSLError):  # an engine that wants a certificate of ours is there
        _, writer = await asyncio.open_connection(host, port, ssl=context)
        writer.close()


async def _first_answers(questions: tuple[tuple[str, ...], ...], environment: Mapping[str, str]) -> None:
    """Whether the first of the tools that is here does what it is asked; the CLI does not go on to the next either."""
    for question in questions:
        try:
            process = await asyncio.create_subprocess_exec(
                *question, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=dict(environment)
            )
        except FileNotFoundError:
            continue
        try:
            _, words = await process.communicate()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            raise
        if process.returncode == 0:
            return
        said = (words.decode(errors="replace").strip().splitlines() or [f"exit code {process.returncode}"])[-1]
        raise BuilderMissing(f"no Dagger engine: `{' '.join(question)}` says: {said}", _FIX)
    if questions:
        raise BuilderMissing(
            f"no Dagger engine: there is no {', '.join(question[0] for question in questions)} here to start or reach one", _FIX
        )


def _name(where: Address) -> str:
    match where:
        case Socket(path):
            return f"unix://{path}"
        case Port(host, port, tls):
            return f"{'tls' if tls else 'tcp'}://{host}:{port}"
        case Tool(questions, _):
            return f"the other end of {', '.join(question[0] for question in questions)}"
        case Unknown(why):
            return why
        case _:
            assert_never(where)
