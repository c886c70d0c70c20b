"""`/metrics`, `/healthz` and `/readyz` of a service, served from a thread of its own."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, ThreadingWSGIServer, generate_latest

from papertrader.shared.log.ports import listening_socket

REQUEST_TIMEOUT_S: Final = 5.0
MOST_REQUESTS: Final = 16

Probe = Callable[[], str]
"""Says what is wrong; empty when nothing is."""


class _Handler(WSGIRequestHandler):
    timeout = REQUEST_TIMEOUT_S

    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes are not news."""

    def handle(self) -> None:
        """Answer one request; who does not finish asking is hung up on."""
        with contextlib.suppress(TimeoutError, ConnectionError):
            super().handle()


class _Server(ThreadingWSGIServer):
    """Serves on a socket that is bound already, a bounded number of requests at a time."""

    def __init__(self, listening: socket.socket, application: Callable[..., Iterable[bytes]]) -> None:
        super().__init__(listening.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.server_name, self.server_port = listening.getsockname()[:2]
        self.setup_environ()
        self.set_app(application)
        self.server_activate()
        self._room = threading.BoundedSemaphore(MOST_REQUESTS)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, or hang up while all are taken."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, then make room."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()


class StatusServer:
    """Serves a registry and two probes on a port; port 0 takes a free one. Raises PortError if it is in use."""

    def __init__(self, registry: CollectorRegistry, healthy: Probe, ready: Probe, host: str, port: int) -> None:
        self._registry = registry
        self._probes = {"/healthz": healthy, "/readyz": ready}
        self._server = _Server(listening_socket(host, port), self._respond)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, name="status", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()

    def _respond(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
            return [generate_latest(self._registry)]
        if path in self._probes:
            complaint = self._probes[path]()
            start_response("503 Service Unavailable" if complaint else "200 OK", [("Content-Type", "text/plain")])
            return [(complaint or "ok").encode() + b"\n"]
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"known are /metrics, /healthz and /readyz\n"]
