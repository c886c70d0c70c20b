"""Settings of the broker, the log and where services listen: light, for commands that only check them."""

from typing import Annotated, Any, Literal

import msgspec

from papertrader.shared.log.users import MOST_READERS


class BusConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The broker and the limits of the log."""

    url: Annotated[
        str, msgspec.Meta(description="URL of the NATS server; of a cluster, those of several, divided by commas")
    ] = "nats://127.0.0.1:4222"
    replicas: Annotated[
        Literal[1, 3, 5], msgspec.Meta(description="on how many servers of a cluster each message is kept")
    ] = 1
    max_bytes: Annotated[
        int,
        msgspec.Meta(ge=2**20, description="most bytes that the broker holds; it takes nothing more when it is full"),
    ] = 8 * 2**30
    max_age_s: Annotated[
        float, msgspec.Meta(ge=600, description="how long the broker still holds what is in segments, s")
    ] = 3600.0
    max_readers: Annotated[
        int, msgspec.Meta(ge=1, le=MOST_READERS, description="most readers of the log: one per market of each service")
    ] = MOST_READERS
    data_dir: Annotated[str, msgspec.Meta(description="directory of checkpoints and segments")] = "data"
    host: Annotated[str, msgspec.Meta(description="address that metrics and the page listen on")] = "127.0.0.1"
    metrics_port: Annotated[int, msgspec.Meta(ge=0, le=65535, description="port of /metrics, 0 for a free one")] = 0
    nkey_seed_file: Annotated[str, msgspec.Meta(description="file with the nkey seed to log in with; empty: none")] = ""
    monitoring_url: Annotated[
        str, msgspec.Meta(description="URL of the broker's monitoring port, read by the broker exporter")
    ] = "http://127.0.0.1:8222"
    broker_log: Annotated[
        str, msgspec.Meta(description="log file of the broker, in which its exporter counts refusals; empty: none")
    ] = ""

    @property
    def limits(self) -> tuple[int, int, int]:
        """What the log may hold and who keeps it, as `Bus.create_stream` takes it."""
        return self.max_bytes, self.max_readers, self.replicas

    def login(self) -> dict[str, Any]:
        """The options of `Bus.connect` that log in."""
        return {"nkeys_seed": self.nkey_seed_file} if self.nkey_seed_file else {}
