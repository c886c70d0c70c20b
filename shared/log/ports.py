"""Ports of the loopback interface that are kept for a process of ours, so that nobody else can take them meanwhile."""

import os
import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"
RESERVED: Final = "PAPERTRADER_RESERVED_PORTS"
"""Environment variable: the ports that are kept for a process, separated by commas."""
_REUSEPORT: Final = getattr(socket, "SO_REUSEPORT", None)


class PortError(RuntimeError):
    """A port that cannot be had; the text says which and what to change."""


class ReservedPort:
    """A port that is bound and not listened on: a process that is told so (`RESERVED`) can, another cannot.

    It stays ours while the process that listens there dies and is started again. Port 0 takes a free one. Raises
    PortError if somebody else has it.
    """

    def __init__(self, port: int, shared: bool = True) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((LOOPBACK, port))
        except OSError as error:
            self._socket.close()
            raise PortError(f"port {port} is in use: {error.strerror}") from None
        if shared and _REUSEPORT is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
            self._socket.setsockopt(socket.SOL_SOCKET, _REUSEPORT, 1)
        self.number: int = self._socket.getsockname()[1]

    @classmethod
    def wanted(cls, port: int) -> "ReservedPort":
        """The port if nobody has it, else a free one."""
        try:
            return cls(port)
        except PortError:
            return cls(0)

    def release(self) -> None:
        """Let anybody have it."""
        self._socket.close()


def listening_socket(host: str, port: int) -> socket.socket:
    """A bound socket to listen on, also on a port that `papertrader run` keeps for us; raises PortError."""
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if str(port) in os.environ.get(RESERVED, "").split(",") and _REUSEPORT is not None:
        found.setsockopt(socket.SOL_SOCKET, _REUSEPORT, 1)
    try:
        found.bind((host, port))
    except OSError as error:
        found.close()
        raise PortError(f"{host}:{port} cannot be listened on: {error.strerror}; choose another port") from None
    return found
