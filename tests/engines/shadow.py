"""The proxy of the apiextensions tier: built-in kinds on the outside, custom resources on the inside.

Upwards a line is rewritten as bytes (the suffix of the shadow groups is text that occurs nowhere else); downwards only `apiVersion` is.
What a real API server does beyond storing is done here for namespaces alone: they must exist, and they are emptied before they go.
"""

import asyncio
import json
import re
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import aiohttp
import orjson
import yaml
from aiohttp import web

from tests.engines import merge, openapi
from tests.engines.schemas import CORE, KINDS, NAMESPACES, SUFFIX, definitions

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CORE_INSIDE = f"/apis/{CORE}/v1"
MANAGER = "shadow"  # owns what a real server would have put into a namespace by itself
FINALIZER = f"{SUFFIX}/namespace"
GROUPS = {shadow.group for shadow in KINDS if shadow.group}
INSIDE = {f"{shadow.group}/{shadow.version}".lstrip("/"): f"{shadow.shadow_group}/{shadow.version}" for shadow in KINDS}
BODY_LIMIT = 8 << 20
SYSTEM_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
IDENTITY = {"Accept-Encoding": "identity"}
NAMESPACED = re.compile(r"/(?:api|apis/[^/]+)/[^/]+/namespaces/([^/]+)/([^/]+)(?:/([^/]+))?(?:/([^/]+))?")
NAMESPACE_PATH = re.compile(r"/api/v1/namespaces(?:/([^/]+))?(?:/(status|finalize))?")
OUTSIDE = ((f'"{CORE}/v1"'.encode(), b'"v1"'), (f'"{CORE}"'.encode(), b'""'), (f"/apis/{CORE}/v1".encode(), b"/api/v1"),
           (f".{CORE}".encode(), b""), (f"{CORE}/v1".encode(), b"/v1"), (f".{SUFFIX}".encode(), b""), (NAMESPACES.encode(), b"namespaces"))  # fmt: skip

Body = dict[str, Any]


class Answer(NamedTuple):
    """An upstream answer, rewritten."""

    status: int
    body: bytes
    headers: dict[str, str]

    def response(self) -> web.Response:
        return web.Response(status=self.status, body=self.body, headers=self.headers)

    def json(self) -> Any:
        return orjson.loads(self.body)


class Refusal(Exception):
    """A Status that the proxy itself answers."""

    def __init__(self, code: int, reason: str, message: str, details: Body | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
                       "reason": reason, "details": details or {}, "code": code}  # fmt: skip


def inside_path(path: str) -> str:
    """Where a request goes: /api/v1/pods -> /apis/core.SUFFIX/v1/pods; what is no shadow goes where it says."""
    if found := NAMESPACE_PATH.fullmatch(path):
        return "/".join(part for part in (CORE_INSIDE, NAMESPACES, *found.groups()) if part)
    if path.startswith("/api/v1"):
        return CORE_INSIDE + path.removeprefix("/api/v1")
    head, _, rest = path.removeprefix("/apis/").partition("/")
    return f"/apis/{head}.{SUFFIX}/{rest}" if path.startswith("/apis/") and head in GROUPS else path


def outside(body: bytes) -> bytes:
    """What comes from inside, as the outside knows it."""
    for inner, outer in OUTSIDE:
        body = body.replace(inner, outer)
    return body


def parsed(body: bytes) -> Any:
    """A request body; apply patches may be YAML."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return yaml.load(body, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError) as error:
        raise Refusal(400, "BadRequest", f"the body of the request is neither JSON nor YAML: {error}") from None


def inward(body: bytes, *, delete: bool) -> bytes:
    """A request body with the apiVersions of shadow kinds; delete options keep theirs."""
    value = parsed(body)
    if not isinstance(value, dict) or delete or value.get("kind") == "DeleteOptions":
        return orjson.dumps(value)
    if (version := value.get("apiVersion")) in INSIDE:
        value["apiVersion"] = INSIDE[version]
    metadata = value.get("metadata")
    for entry in (metadata.get("managedFields") or ()) if isinstance(metadata, dict) else ():
        entry["apiVersion"] = INSIDE.get(entry.get("apiVersion"), entry.get("apiVersion"))
    return orjson.dumps(value)


def present_namespace(value: Any) -> Any:
    """A namespace (or a list or table of them) as a real server shows it: phase computed, our own traces removed."""
    for item in value.get("items") or ():
        present_namespace(item)
    for row in value.get("rows") or ():
        present_namespace(row.get("object") or {})
    metadata = value.get("metadata") or {}
    if value.get("kind") not in {"Namespace", None} or "uid" not in metadata:
        return value
    if FINALIZER in metadata.get("finalizers", ()):
        metadata["finalizers"].remove(FINALIZER)
        if not metadata["finalizers"]:
            del metadata["finalizers"]
    metadata["managedFields"] = [entry for entry in metadata.get("managedFields", ()) if entry.get("manager") != MANAGER]
    if not metadata["managedFields"]:
        del metadata["managedFields"]
    if "spec" in value or "status" in value:
        value.setdefault("status", {})["phase"] = "Terminating" if "deletionTimestamp" in metadata else "Active"
    return value


class Shadows:
    """The proxy's state: the way inside, the served custom resources, and which namespaces there are."""

    def __init__(self, upstream: str, session: aiohttp.ClientSession, token: str) -> None:
        self.upstream = upstream
        self.session = session
        self.token = f"Bearer {token}"
        self.served: dict[str, Body] = {}  # definition name -> spec without schemas
        self.active: dict[str, bool] = {}  # namespace -> active, not terminating
        self.ready = asyncio.Event()

    # ------------------------------------------------------------------ inside

    async def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None, *, raw: bool = False
    ) -> Answer:
        """One request to an inside path; the answer comes rewritten, unless it is wanted raw."""
        async with self.session.request(method, self.upstream + path, data=body, headers={**IDENTITY, **(headers or {})}) as got:
            kept = {
                name: got.headers[name]
                for name in ("Content-Type", "Retry-After", "Warning", "ETag", "Last-Modified")
                if name in got.headers
            }
            answer = await got.read()
            return Answer(got.status, answer if raw else outside(answer), kept)

    async def install(self, types: Path) -> None:
        """Creates the shadow kinds, waits until all are served, and creates the namespaces that a cluster starts with."""
        bodies = list(definitions(json.loads(types.read_text())))
        for body in bodies:
            got = await self.ask("POST", DEFINITIONS, orjson.dumps(body), {"Content-Type": "application/json"})
            if got.status not in {201, 409}:
                raise SystemExit(f"{body['metadata']['name']}: {got.body.decode()[:800]}")
        for shadow in KINDS:
            while (await self.ask("GET", f"/apis/{shadow.shadow_group}/{shadow.version}/{shadow.shadow_plural}?limit=1")).status != 200:
                await asyncio.sleep(0.05)
        listed = (await self.ask("GET", f"{CORE_INSIDE}/{NAMESPACES}")).json()["items"]
        self.active = {item["metadata"]["name"]: "deletionTimestamp" not in item["metadata"] for item in listed}
        for name in SYSTEM_NAMESPACES:
            if name not in self.active:
                await self.adopt(name)
        self.ready.set()

    async def follow_definitions(self) -> None:
        """Keeps the list of what is served, for discovery, by a watch."""
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with self.session.get(f"{self.upstream}{DEFINITIONS}?watch=true", headers=IDENTITY, read_bufsize=16 << 20) as got:
                    async for line in got.content:
                        self.note_definition(orjson.loads(line))
            await asyncio.sleep(0.2)

    def note_definition(self, event: Body) -> None:
        name, spec = event["object"].get("metadata", {}).get("name", ""), event["object"].get("spec")
        if event["type"] == "DELETED":
            self.served.pop(name, None)
        elif name and spec:
            self.served[name] = {**orjson.loads(outside(orjson.dumps(spec))), "group": spec["group"].removesuffix(SUFFIX).rstrip(".")}

    # -------------------------------------------------------------- namespaces

    async def adopt(self, name: str) -> Answer:
        """Gives a new namespace its label and its finalizer, as a real server does."""
        body = {"apiVersion": f"{CORE}/v1", "kind": "Namespace",
                "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}, "finalizers": [FINALIZER]},
                "spec": {"finalizers": ["kubernetes"]}}  # fmt: skip
        path = f"{CORE_INSIDE}/{NAMESPACES}/{name}?fieldManager={MANAGER}&force=true"
        got = await self.ask("PATCH", path, orjson.dumps(body), {"Content-Type": "application/apply-patch+yaml"})
        self.active[name] = True
        return got

    async def is_active(self, name: str) -> bool | None:
        """Whether the namespace takes new objects; None where there is none."""
        if name not in self.active:
            got = await self.ask("GET", f"{CORE_INSIDE}/{NAMESPACES}/{name}")
            if got.status != 200:
                return None
            self.active[name] = "deletionTimestamp" not in got.json()["metadata"]
        return self.active[name]

    async def admit(self, method: str, path: str) -> None:
        """Refuses what the admission plug-in NamespaceLifecycle refuses."""
        found = NAMESPACED.fullmatch(path)
        if not found or method not in {"POST", "PUT", "PATCH"} or (found[1] and NAMESPACE_PATH.fullmatch(path)):
            return
        namespace, plural, name = found[1], found[2], found[3] or ""
        active = await self.is_active(namespace)
        if active is None:
            raise Refusal(404, "NotFound", f'namespaces "{namespace}" not found', {"name": namespace, "kind": "namespaces"})
        if active or (method != "POST" and (await self.ask("GET", inside_path(path))).status == 200):
            return
        group = path.split("/")[2] if path.startswith("/apis/") else ""
        cause = {"reason": "NamespaceTerminating", "message": f"namespace {namespace} is being terminated", "field": "metadata.namespace"}
        what = f'{plural}.{group} "{name}"' if group else f'{plural} "{name}"'
        message = f"{what} is forbidden: unable to create new content in namespace {namespace} because it is being terminated"
        raise Refusal(403, "Forbidden", message, {"name": name, "group": group, "kind": plural, "causes": [cause]})

    async def finalize(self, name: str, body: bytes) -> Answer:
        """PUT /finalize: without finalizers in its spec, a namespace that is going may go."""
        path = f"{CORE_INSIDE}/{NAMESPACES}/{name}"
        got = await self.ask("GET", path)
        if got.status != 200 or (parsed(body).get("spec") or {}).get("finalizers"):
            return got
        metadata = got.json()["metadata"]
        left = [one for one in metadata.get("finalizers", ()) if one != FINALIZER]
        patch = {"metadata": {"finalizers": left or None, "resourceVersion": metadata["resourceVersion"]}, "spec": {"finalizers": None}}
        done = await self.ask("PATCH", path, orjson.dumps(patch), {"Content-Type": "application/merge-patch+json"})
        if done.status == 200 and "deletionTimestamp" in metadata and not left:
            self.active.pop(name, None)
        return done

    async def namespace_done(self, method: str, got: Answer, *, dry: bool) -> Answer:
        """What follows a request on namespaces: a new one is adopted, one that is going takes nothing new; shown as the outside knows it."""
        if got.status >= 400 or not got.body.startswith(b"{"):
            return got
        value = got.json()
        name = value.get("metadata", {}).get("name")
        if value.get("kind") == "Namespace" and name and not dry:
            if got.status == 201:
                adopted = await self.adopt(name)
                value = adopted.json() if adopted.status == 200 else value
            elif method != "GET":
                self.active[name] = "deletionTimestamp" not in value["metadata"]
        return got._replace(body=orjson.dumps(present_namespace(value)))

    # ----------------------------------------------------------------- serving

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Every request."""
        try:
            if request.path in {"/readyz", "/livez", "/healthz"}:
                return web.Response(text="ok") if self.ready.is_set() else web.Response(status=503, text="starting")
            self.authenticate(request)
            if found := self.discovery(request.path):
                return web.json_response(found)
            return await self.forward(request)
        except Refusal as refusal:
            return web.json_response(refusal.status, status=refusal.code)
        except aiohttp.ClientConnectionError as error:
            gone = Refusal(503, "ServiceUnavailable", f"the API server behind the shadow kinds does not answer: {error}")
            return web.json_response(gone.status, status=gone.code)

    def authenticate(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != self.token:
            raise Refusal(401, "Unauthorized", "Unauthorized")

    def discovery(self, path: str) -> Body | None:
        """The documents that say which groups there are; those of one version are the upstream's own, rewritten."""
        parts = path.strip("/").split("/")
        match parts:
            case ["api"]:
                return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
            case ["apis"]:
                return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group_of(*one) for one in self.groups().items()]}
            case ["apis", name] if name in self.groups():
                return {"kind": "APIGroup", "apiVersion": "v1", **group_of(name, self.groups()[name])}
            case ["openapi", "v3"]:
                return openapi.index((group, version) for group, versions in {**self.groups(), "": ["v1"]}.items() for version in versions)
            case ["openapi", "v3", "api", "v1"]:
                return openapi.document("", "v1", self.specs("core", "v1"))
            case ["openapi", "v3", "apis", group, version]:
                return openapi.document(group, version, self.specs(group, version))
        return None

    def groups(self) -> dict[str, list[str]]:
        """Every served group but the core, with its versions."""
        groups: dict[str, list[str]] = {"apiextensions.k8s.io": ["v1"]}
        for spec in self.served.values():
            if spec["group"] != "core":
                versions = groups.setdefault(spec["group"], [])
                versions.extend(one["name"] for one in spec["versions"] if one["served"] and one["name"] not in versions)
        return groups

    def specs(self, group: str, version: str) -> list[Body]:
        return [spec for spec in self.served.values() if spec["group"] == group and any(one["name"] == version for one in spec["versions"])]

    async def forward(self, request: web.Request) -> web.StreamResponse:
        raw, _, query = request.raw_path.partition("?")
        await self.admit(request.method, raw)
        namespaces = NAMESPACE_PATH.fullmatch(raw)
        body = await request.read()
        if namespaces and namespaces[2] == "finalize" and request.method == "PUT":
            return (await self.namespace_done("PUT", await self.finalize(namespaces[1], body), dry=True)).response()
        path = inside_path(raw) + (f"?{query}" if query else "")
        headers = self.headers(request, shadow=path != request.raw_path, body=bool(body))
        if headers.get("Content-Type") == merge.STRATEGIC:
            got = await self.strategic(path, body, request)
        elif request.method == "GET" and request.query.get("watch", "") in {"true", "1"}:
            return await self.stream(request, path, headers, namespaces=bool(namespaces))
        else:
            inner = inward(body, delete=request.method == "DELETE") if body else None
            got = await self.ask(request.method, path, inner, headers)
        if namespaces:
            got = await self.namespace_done(request.method, got, dry="dryRun" in request.query)
        return got.response()

    @staticmethod
    def headers(request: web.Request, *, shadow: bool, body: bool) -> dict[str, str]:
        """The headers that matter inside; a Table is passed on, protobuf is not to be had for custom resources."""
        accept = request.headers.get("Accept", "*/*")
        kept = {"Accept": accept if "as=" in accept or not shadow else "application/json"}
        for name in ("User-Agent", "If-None-Match"):
            if name in request.headers:
                kept[name] = request.headers[name]
        if body:
            kept["Content-Type"] = request.headers.get("Content-Type", "application/json").partition(";")[0].strip()
            if "protobuf" in kept["Content-Type"]:
                hint = "kubectl create ... --dry-run=client -o yaml | kubectl apply --server-side -f -"
                raise Refusal(
                    415, "UnsupportedMediaType", f"shadow kinds do not take protobuf, which `kubectl create KIND` sends; use: {hint}"
                )
            if kept["Content-Type"] == "application/yaml":
                kept["Content-Type"] = "application/json"
        return kept

    async def strategic(self, path: str, body: bytes, request: web.Request) -> Answer:
        """A strategic merge patch, which custom resources do not take: read, merged here, written with the version that was read."""
        patch = parsed(body)
        where, _, _ = path.partition("?")
        query = urlencode({name: value for name, value in request.query.items() if name != "force"})
        while True:
            got = await self.ask("GET", where, raw=True)
            if got.status != 200:
                return got._replace(body=outside(got.body))
            current = got.json()
            wanted = (patch.get("metadata") or {}).get("resourceVersion")
            patch = {**patch, "apiVersion": current["apiVersion"]}
            merged = merge.strategic(current, patch)
            done = await self.ask("PUT", f"{where}?{query}", orjson.dumps(merged), {"Content-Type": "application/json"})
            if done.status != 409 or wanted:
                return done

    async def stream(self, request: web.Request, path: str, headers: dict[str, str], *, namespaces: bool) -> web.StreamResponse:
        """A watch: whole lines, rewritten, as they come."""
        async with self.session.get(self.upstream + path, headers={**IDENTITY, **headers}, read_bufsize=4 << 20) as got:
            response = web.StreamResponse(status=got.status, headers={"Content-Type": got.headers.get("Content-Type", "application/json")})
            await response.prepare(request)
            rest = b""
            async for chunk in got.content.iter_any():
                lines, newline, tail = chunk.rpartition(b"\n")
                if not newline:
                    rest += chunk
                    continue
                whole, rest = outside(rest + lines), tail
                await response.write((b"\n".join(map(namespace_event, whole.split(b"\n"))) if namespaces else whole) + b"\n")
            await response.write_eof()
            return response


def namespace_event(line: bytes) -> bytes:
    event = orjson.loads(line)
    if event["object"].get("kind") == "Namespace":
        present_namespace(event["object"])
    return orjson.dumps(event)


def group_of(name: str, versions: list[str]) -> Body:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def trust(certificates: Path) -> ssl.SSLContext:
    """How the proxy proves to the inside who it is."""
    context = ssl.create_default_context()
    context.check_hostname = False  # the server inside makes its own certificate, on the loopback
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(certificates / "admin.crt", certificates / "admin.key")
    return context


@asynccontextmanager
async def running(certificates: Path, upstream: str, token: str, types: Path) -> AsyncIterator[Shadows]:
    connector = aiohttp.TCPConnector(ssl=trust(certificates), limit=0, keepalive_timeout=60)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None, sock_connect=10)) as session:
        shadows = Shadows(upstream, session, token)
        following = asyncio.create_task(shadows.follow_definitions())
        await shadows.install(types)
        yield shadows
        following.cancel()


async def main(certificates: Path, upstream: str, port: int, token: str, types: Path) -> None:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificates / "server.crt", certificates / "server.key")
    async with running(certificates, upstream, token, types) as shadows:
        app = web.Application(client_max_size=BODY_LIMIT)
        app.router.add_route("*", "/{path:.*}", shadows.serve)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, auto_decompress=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=server, backlog=512).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]).read_text().strip(), Path(sys.argv[5])))
