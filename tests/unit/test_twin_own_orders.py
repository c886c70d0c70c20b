"""What is left of the tape's book when the maker's own live orders are taken off it."""

from papertrader.replay.twin.own_orders import REST, OwnOrders
from papertrader.replay.twin.record import LiveFill, LiveOrder
from papertrader.shared.messages import Bbo, Book, Depth

ORDER = LiveOrder(
    "a",
    "BTC",
    "buy",
    99.0,
    3.0,
    "post_only",
    100,
    0,
    "filled",
    fills=(LiveFill(200, 99.0, 1.0), LiveFill(300, 99.0, 2.0)),
)


def test_own_size_stands_from_going_live_until_it_is_filled() -> None:
    """3 from 100 on, 2 after the fill of 1 at 200, nothing from the last fill at 300 on."""
    own = OwnOrders([ORDER])
    assert [own.size("buy", 99.0, ts) for ts in (99, 100, 199, 200, 299, 300)] == [0, 3, 3, 2, 2, 0]
    assert own.size("sell", 99.0, 150) == own.size("buy", 98.0, 150) == 0
    late = OwnOrders([ORDER], latency_ns=50)
    assert [late.size("buy", 99.0, ts) for ts in (149, 150)] == [0, 3]


def test_what_was_cancelled_or_turned_down_is_not_there() -> None:
    cancelled = ORDER._replace(fills=(), status="cancelled", ended_ts=250)
    assert [OwnOrders([cancelled]).size("buy", 99.0, ts) for ts in (249, 250)] == [3, 0]
    assert OwnOrders([cancelled._replace(status="rejected")]).size("buy", 99.0, 200) == 0
    assert OwnOrders([cancelled._replace(time_in_force="ioc")]).size("buy", 99.0, 200) == 0


def test_messages_show_the_rest_of_the_level() -> None:
    own = OwnOrders([ORDER, ORDER._replace(live_id="b", side="sell", price=101.0, size=5.0, fills=())])
    book = Book(
        ts=150, recv_ts=150, bid_prices=[99.0, 98.0], bid_sizes=[10.0, 4.0], ask_prices=[101.0], ask_sizes=[5.0]
    )
    touch = Bbo(ts=150, recv_ts=150, bid_price=99.0, bid_size=10.0, ask_price=None, ask_size=None)
    gone = Depth(ts=150, recv_ts=150, bid_prices=[99.0], bid_sizes=[0.0], ask_prices=[], ask_sizes=[])
    shown, at_touch, same = own.without([book, touch, gone])
    assert isinstance(shown, Book)
    assert (shown.bid_sizes, shown.ask_sizes) == ([7.0, 4.0], [REST])
    assert isinstance(at_touch, Bbo)
    assert (at_touch.bid_size, at_touch.ask_size) == (7.0, None)
    assert same is gone, "a level that is gone stays gone"
