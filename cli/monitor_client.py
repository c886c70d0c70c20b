"""Asks the monitor over HTTP what it knows."""

import urllib.error
import urllib.request
from typing import Any, Final

import orjson

DEFAULT_URL: Final = "http://127.0.0.1:8080"
TIMEOUT_S: Final = 10.0


class MonitorError(RuntimeError):
    """The monitor did not answer; the text says what to do."""


def fetch(url: str, path: str) -> bytes:
    """The body of a page of the monitor; raises MonitorError."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}{path}", timeout=TIMEOUT_S) as reply:
            body: bytes = reply.read()
            return body
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise MonitorError(
            f"no monitor answers at {url} ({error}): start one with `papertrader run`, or name it with --url"
        ) from error


def fetch_json(url: str, path: str) -> dict[str, Any]:
    """The same as JSON."""
    answer: dict[str, Any] = orjson.loads(fetch(url, path))
    return answer
