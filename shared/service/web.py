"""`/metrics`, `/healthz` and `/readyz` of a service, served from a thread of its own."""

import threading
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, ThreadingWSGIServer, generate_latest

Probe = Callable[[], str]
"""Says what is wrong; empty when nothing is."""


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes are not news."""


class StatusServer:
    """Serves a registry and two probes on a port; port 0 takes a free one."""

    def __init__(self, registry: CollectorRegistry, healthy: Probe, ready: Probe, host: str, port: int) -> None:
        self._registry = registry
        self._probes = {"/healthz": healthy, "/readyz": ready}
        self._server = make_server(host, port, self._respond, ThreadingWSGIServer, _QuietHandler)
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
