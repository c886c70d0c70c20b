"""The same orders under every fill model: of one family, what the stricter fills, the others fill too."""

from pathlib import Path

import numpy as np
import pytest

from papertrader.replay.replay import Replayed, composed
from papertrader.replay.same_orders import AS_SET, same_orders, stream_of
from papertrader.replay.session import sessions
from papertrader.replay.sweep.bands import SAME_ORDERS
from papertrader.services.feed.config import FeedConfig, SyntheticAsset, SyntheticConfig
from papertrader.shared.messages import Cancel, Place
from papertrader.shared.service.config import Settings

ASSET = SyntheticAsset(name="SYN", price=60_000.0, tick_size=1.0, lot_size=1e-5)
FEED = FeedConfig(synthetic=SyntheticConfig(assets=(ASSET,), duration_s=120.0))
# a class built upon glft is replayed over the services, which are all that this test has to compile
SETTINGS = Settings({"quoter": {"strategy": "papertrader.strategies:Glft", "levels": 2}})


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Replayed]:
    (session,) = sessions(FEED, tmp_path_factory.mktemp("cache"))
    return same_orders(session, SETTINGS, SAME_ORDERS)


def filled(replayed: Replayed) -> dict[int, float]:
    """The size filled of each order."""
    fills = replayed.records("fills")
    return {order: float(fills["size"][fills["order_id"] == order].sum()) for order in np.unique(fills["order_id"])}


def test_every_model_hears_the_same_orders(models: dict[str, Replayed]) -> None:
    heard = {name: sorted(set(replayed.records("acks")["order_id"].tolist())) for name, replayed in models.items()}
    assert set(models) == {AS_SET, *SAME_ORDERS}
    assert heard[AS_SET]
    assert all(ids == heard[AS_SET] for ids in heard.values())


@pytest.mark.parametrize(
    ("strict", "lenient"),
    [("behind", "pro_rata"), ("pro_rata", "ahead"), ("draws_behind", AS_SET), (AS_SET, "draws_ahead")],
)
def test_bounds_bound_order_by_order(models: dict[str, Replayed], strict: str, lenient: str) -> None:
    fewer, more = filled(models[strict]), filled(models[lenient])
    assert more
    for order, size in fewer.items():
        assert size <= more.get(order, 0.0) + 1e-12, order


def test_order_that_was_filled_ends_there(tmp_path: Path) -> None:
    (session,) = sessions(FEED, tmp_path)
    replayed = composed(session, SETTINGS)
    acks = replayed.records("acks")
    stream = stream_of(replayed, "main")
    ends = {
        command.order_id: command.ts for heard in stream.values() for command in heard if isinstance(command, Cancel)
    }
    placed = [command for heard in stream.values() for command in heard if isinstance(command, Place)]
    filled_at = {
        message.order_id: message.ts for _, _, message in replayed.messages("acks") if message.status == "filled"
    }  # type: ignore[attr-defined]
    assert filled_at
    assert all(ends[order] == ts for order, ts in filled_at.items())
    assert not any(order.reduce_only for order in placed)
    assert len(acks) > len(placed) > 0
