import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import CollectorRegistry, Gauge

from papertrader.shared.service.web import REQUEST_TIMEOUT_S, StatusServer

Probed = dict[str, str]


@pytest.fixture
def complaints() -> Probed:
    return {"health": "", "ready": ""}


@pytest.fixture
def server(complaints: Probed) -> Iterator[StatusServer]:
    registry = CollectorRegistry()
    Gauge("paper_kappa", "κ", registry=registry).set(2500)
    server = StatusServer(registry, lambda: complaints["health"], lambda: complaints["ready"], "127.0.0.1", 0)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def get(server: StatusServer) -> Callable[[str], tuple[int, str]]:
    def fetch(path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return fetch


Get = Callable[[str], tuple[int, str]]


def test_metrics_are_in_the_text_format(get: Get) -> None:
    status, text = get("/metrics")
    assert status == 200
    assert "paper_kappa 2500.0\n" in text


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probe_without_complaint_is_ok(get: Get, path: str) -> None:
    assert get(path) == (200, "ok\n")


def test_probe_says_what_is_wrong_and_only_its_own(get: Get, complaints: Probed) -> None:
    complaints["ready"] = "not connected to NATS"
    assert get("/readyz") == (503, "not connected to NATS\n")
    assert get("/healthz") == (200, "ok\n")
    complaints.update(ready="", health="stalled")
    assert get("/readyz") == (200, "ok\n")
    assert get("/healthz") == (503, "stalled\n")


def test_other_paths_are_not_found(get: Get) -> None:
    assert get("/")[0] == 404
    assert get("/metrics/more")[0] == 404


def test_stopping_frees_the_port() -> None:
    server = StatusServer(CollectorRegistry(), lambda: "", lambda: "", "127.0.0.1", 0)
    server.start()
    server.stop()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", server.port))


def test_half_requests_do_not_keep_others_from_the_metrics(server: StatusServer, get: Get) -> None:
    """More half requests than there are threads: they are hung up on, and what comes after them is answered."""
    half = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(40)]
    for connection in half:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: ")
    time.sleep(REQUEST_TIMEOUT_S + 1)
    assert threading.active_count() < 20
    assert get("/metrics")[0] == 200
    for connection in half:
        connection.close()
