"""A test double of the Dagger CLI and of the engine behind it, as far as the SDK's session protocol goes. It builds nothing.

Run as the CLI is (`PROGRAM session ...`) it prints `{"port": N, "session_token": "..."}` and answers GraphQL on that port until its input
ends. What it does wrong is in FLEET_DOUBLE (JSON):
  start: "silent" | "garbage" | "exit"      instead of a session
  build: "hang" | {"exec": {...}} | {"error": "..."} | "drop" | "exit"      what evaluating a Dockerfile comes to
  removed: paths that it says were removed
  close: "hang"      it goes on when its input ends, and does not hear SIGTERM
  notes: a file that it writes what it was asked to, a JSON line each
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import signal
import sys
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from graphql import GraphQLError, build_schema, graphql_sync

BEHAVIOUR = "FLEET_DOUBLE"
TOKEN = "token-of-a-double"
SCHEMA = """
scalar ID
scalar Platform
enum ImageLayerCompression { Gzip Zstd EStarGZ Uncompressed }
enum ImageMediaTypes { OCIMediaTypes DockerMediaTypes OCI DOCKER }
input BuildArg { name: String!, value: String! }
interface Node { id: ID! }
type Query {
  version: String!
  node(id: ID!): Node
  host: Host!
  directory: Directory!
  container(platform: Platform): Container!
  setSecret(name: String!, plaintext: String!): Secret!
}
type Host implements Node {
  id: ID!
  directory(path: String!, noCache: Boolean): Directory!
  file(path: String!, noCache: Boolean): File!
}
type File implements Node { id: ID! }
type Secret implements Node { id: ID! }
type Directory implements Node {
  id: ID!
  sync: ID!
  withNewFile(path: String!, contents: String!): Directory!
  dockerBuild(dockerfile: String, platform: Platform, buildArgs: [BuildArg!], secrets: [ID!], noInit: Boolean): Container!
  changes(from: ID!): Changeset!
}
type Changeset implements Node { id: ID!, layer: Directory!, removedPaths: [String!]! }
type Container implements Node {
  id: ID!
  sync: ID!
  from(address: String!): Container!
  import(source: ID!): Container!
  rootfs: Directory!
  withRootfs(directory: ID!): Container!
  withRegistryAuth(address: String!, username: String!, secret: ID!): Container!
  envVariable(name: String!): String
  stdout: String!
  stderr: String!
  export(path: String!, forcedCompression: ImageLayerCompression, mediaTypes: ImageMediaTypes): String!
}
"""


class Thing:
    """Any object of the schema: what led to it is its id."""

    def __init__(self, kind: str, trail: tuple[Any, ...]) -> None:
        self.kind, self.trail = kind, trail

    @property
    def built(self) -> bool:
        return any(field == "dockerBuild" for field, _ in self.trail)

    @property
    def id(self) -> str:
        return base64.b64encode(json.dumps([self.kind, self.trail]).encode()).decode()


def thing(id: str) -> Thing:
    kind, trail = json.loads(base64.b64decode(id))
    return Thing(kind, tuple(map(tuple, trail)))


class Double:
    """The engine's side: a schema whose objects remember how they came about."""

    def __init__(self, behaviour: dict[str, Any]) -> None:
        self.behaviour = behaviour
        self.schema = build_schema(SCHEMA)
        for kind in self.schema.type_map.values():
            for name, field in getattr(kind, "fields", {}).items() if not kind.name.startswith("__") else ():
                if hasattr(field, "resolve"):
                    field.resolve = self._resolver(name, str(field.type).strip("!"))
        self.schema.type_map["Node"].resolve_type = lambda value, *_: value.kind

    def _resolver(self, name: str, kind: str) -> Any:
        def resolve(parent: Thing | None, _: Any, **given: Any) -> Any:
            here = parent or Thing("Query", ())
            self._note(name, given)
            match name:
                case "version":
                    return "v0.21.8"
                case "id":
                    return here.id
                case "node":
                    return thing(given["id"])
                case "sync":
                    self._evaluate(here)
                    return here.id
                case "export":
                    self._evaluate(here)
                    export(Path(given["path"]))
                    return given["path"]
                case "removedPaths":
                    return self.behaviour.get("removed", ["etc/gone", "var/"])
                case "envVariable":
                    return None
                case "stdout" | "stderr":
                    return f"{name} of a double\n"
            return Thing(kind, (*here.trail, (name, {key: value for key, value in given.items() if key != "plaintext"})))

        return resolve

    def _evaluate(self, what: Thing) -> None:
        wanted = self.behaviour.get("build")
        if not wanted or not what.built:
            return
        print("a step begins", file=sys.stderr, flush=True)
        match wanted:
            case "hang":
                time.sleep(3600)
            case "exit":
                os._exit(9)
            case "drop":
                raise ConnectionAbortedError
            case {"exec": facts}:
                raise GraphQLError(f"exit code: {facts['exitCode']}", extensions={"_type": "EXEC_ERROR", **facts})
            case {"error": words}:
                raise GraphQLError(words)

    def _note(self, name: str, given: dict[str, Any]) -> None:
        if notes := self.behaviour.get("notes"):
            with Path(notes).open("a") as file:
                file.write(json.dumps([name, given]) + "\n")

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        result = graphql_sync(
            self.schema, question["query"], variable_values=question.get("variables"), operation_name=question.get("operationName")
        )
        for error in result.errors or ():
            if isinstance(error.original_error, ConnectionAbortedError):
                raise error.original_error
        return result.formatted


def export(path: Path) -> None:
    """An OCI archive with one layer, which holds one file."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        entry = tarfile.TarInfo("made")
        entry.size = 3
        tar.addfile(entry, io.BytesIO(b"yes"))
    with tarfile.open(path, "w") as outer:

        def add(name: str, content: bytes) -> None:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            outer.addfile(entry, io.BytesIO(content))

        def blob(media_type: str, content: bytes) -> dict[str, Any]:
            digest = hashlib.sha256(content).hexdigest()
            add(f"blobs/sha256/{digest}", content)
            return {"mediaType": f"application/vnd.oci.image.{media_type}", "digest": f"sha256:{digest}", "size": len(content)}

        config = blob("config.v1+json", json.dumps({"config": {"Env": ["A=1", "SOURCE_DATE_EPOCH=5"], "User": "some"}}).encode())
        layers = [blob("layer.v1.tar", layer.getvalue())]
        manifest = blob("manifest.v1+json", json.dumps({"schemaVersion": 2, "config": config, "layers": layers}).encode())
        add("index.json", json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    double: Double

    def log_message(self, *_: object) -> None:
        return

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        authorised = self.headers.get("Authorization") == "Basic " + base64.b64encode(f"{TOKEN}:".encode()).decode()
        try:
            body = json.dumps(self.double.answer(question)).encode()
        except ConnectionAbortedError:
            self.close_connection = True
            return
        self.send_response(200 if authorised else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    if sys.argv[1:2] == ["version"]:
        print("dagger v0.21.8 (a double)")
        return
    behaviour = json.loads(os.environ.get(BEHAVIOUR, "{}"))
    match behaviour.get("start"):
        case "silent":
            time.sleep(3600)
        case "garbage":
            print("hello", flush=True)
            time.sleep(3600)
        case "exit":
            sys.exit("Error: the double has no session today")
    if behaviour.get("close") == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Handler.double = Double(behaviour)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.server_address[1], "session_token": TOKEN}), flush=True)
    sys.stdin.read()
    if behaviour.get("close") == "hang":
        time.sleep(3600)


if __name__ == "__main__":
    main()
