"""An observability centre on this machine: a real HTTP server that answers as a test wants it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Centre:
    """Takes reports on a port of its own. `answers` are statuses (0: cut the connection), the last one for good."""

    def __init__(self, answers: Iterable[int] = (202,), port: int = 0, headers: dict[str, str] | None = None) -> None:
        self.reports: list[dict[str, Any]] = []
        self.names: list[str] = []
        self.came = threading.Semaphore(0)
        """Once for each request."""
        self.hold = threading.Event()
        """While clear, no request is answered."""
        self.hold.set()
        self._answers = list(answers)
        self._headers = headers or {}
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/startups"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        centre = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = centre._answers.pop(0) if len(centre._answers) > 1 else centre._answers[0]
                centre.reports.append(json.loads(body))
                centre.names.append(self.headers["Idempotency-Key"])
                centre.came.release()
                centre.hold.wait(30)
                if status:
                    self.send_response(status)
                    for name, value in centre._headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                self.close_connection = True

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    def stop(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
