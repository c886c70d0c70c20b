"""The gateway with TLS: a client that trusts its authority, and nobody else, is answered under the venue's own name."""

import asyncio
import ssl
import stat
from pathlib import Path

import aiohttp
import pytest

from papertrader.services.gateway.certificates import AUTHORITY_FILE, server_context
from papertrader.services.gateway.server import serve, serve_tls
from papertrader.services.gateway.service import Gateway
from papertrader.shared.log.broker import Broker, free_port
from papertrader.shared.service.config import Settings
from tests.integration.door import SETTINGS, told
from tests.integration.wire import bounded, connected

NAMES = ("localhost", "127.0.0.1", "api.hyperliquid.xyz")


def trusting(directory: Path) -> ssl.SSLContext:
    """What a client is that was given the authority, as strict as there is."""
    context = ssl.create_default_context(cafile=str(directory / AUTHORITY_FILE))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def test_a_client_that_trusts_the_authority_is_answered(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await told(bus)
            gateway = Gateway(bus, Settings(SETTINGS))
            await gateway.restore()
            doors = await serve(gateway, "127.0.0.1", free_port())
            port = await serve_tls(doors, "127.0.0.1", 0, server_context(tmp_path, NAMES))
            async with aiohttp.ClientSession() as http:
                context = trusting(tmp_path)
                for name in ("127.0.0.1", "api.hyperliquid.xyz"):
                    ask = http.post(
                        f"https://127.0.0.1:{port}/info", json={"type": "meta"}, ssl=context, server_hostname=name
                    )
                    async with ask as answer:
                        assert (await answer.json())["universe"][0]["name"] == "BTC"
                async with http.ws_connect(f"wss://127.0.0.1:{port}/ws", ssl=context) as socket:
                    await socket.send_json({"method": "ping"})
                    assert await socket.receive_json(timeout=5) == {"channel": "pong"}
                with pytest.raises(aiohttp.ClientConnectorCertificateError):
                    await http.post(f"https://127.0.0.1:{port}/info", ssl=context, server_hostname="elsewhere.example")
                with pytest.raises(aiohttp.ClientConnectorCertificateError):
                    await http.post(f"https://127.0.0.1:{port}/info")
            await doors.cleanup()
            await gateway.leave()

    bounded(work())


def test_the_authority_is_made_once_and_its_keys_are_nobody_elses(tmp_path: Path) -> None:
    server_context(tmp_path, NAMES)
    first = (tmp_path / AUTHORITY_FILE).read_text()
    server_context(tmp_path, ("localhost",))
    assert (tmp_path / AUTHORITY_FILE).read_text() == first
    for name in ("gateway-ca.key", "gateway-tls.pem"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert asyncio.run(_refuses_another(tmp_path))


async def _refuses_another(directory: Path) -> bool:
    """Whether an authority made elsewhere does not count here."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=server_context(directory, NAMES))
    other = directory / "other"
    server_context(other, NAMES)
    port = server.sockets[0].getsockname()[1]
    try:
        await asyncio.open_connection("127.0.0.1", port, ssl=trusting(other), server_hostname="localhost")
    except ssl.SSLCertVerificationError:
        return True
    finally:
        server.close()
    return False
