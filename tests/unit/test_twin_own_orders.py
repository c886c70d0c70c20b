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
    stands = [own.standing("buy", 99.0, ts) for ts in (99, 100, 199, 200, 299, 300)]
    assert stands == [(0, 0), (3, 1), (3, 1), (2, 1), (2, 1), (0, 0)]
    assert own.standing("sell", 99.0, 150) == own.standing("buy", 98.0, 150) == (0, 0)
    late = OwnOrders([ORDER], latency_ns=50)
    assert [late.standing("buy", 99.0, ts).size for ts in (149, 150)] == [0, 3]


def test_what_was_cancelled_or_turned_down_is_not_there() -> None:
    cancelled = ORDER._replace(fills=(), status="cancelled", ended_ts=250)
    assert [OwnOrders([cancelled]).standing("buy", 99.0, ts).size for ts in (249, 250)] == [3, 0]
    assert OwnOrders([cancelled._replace(status="rejected")]).standing("buy", 99.0, 200) == (0, 0)
    assert OwnOrders([cancelled._replace(time_in_force="ioc")]).standing("buy", 99.0, 200) == (0, 0)


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
    assert same == gone, "a level that is gone stays gone"


def counted(ts: int, own: OwnOrders, orders: tuple[int, int, int]) -> tuple[list[int], list[int], int, int]:
    """What is left of so many orders at 99, 98 and 101, in a book and in a touch."""
    near, deep, ask = orders
    book = Book(
        ts=ts,
        recv_ts=ts,
        bid_prices=[99.0, 98.0],
        bid_sizes=[10.0, 4.0],
        ask_prices=[101.0],
        ask_sizes=[5.0],
        bid_orders=[near, deep],
        ask_orders=[ask],
    )
    touch = Bbo(
        ts=ts,
        recv_ts=ts,
        bid_price=99.0,
        bid_size=10.0,
        ask_price=101.0,
        ask_size=5.0,
        bid_orders=near,
        ask_orders=ask,
    )
    shown, best = own.without([book, touch])
    assert isinstance(shown, Book)
    assert isinstance(best, Bbo)
    return shown.bid_orders, shown.ask_orders, best.bid_orders, best.ask_orders


def test_of_the_orders_of_a_level_his_own_are_not_counted() -> None:
    """At 99 two of five are his until 300, when one is filled; at 101 the only one: a grain stays, which is one."""
    bid = ORDER._replace(live_id="b", size=1.0, fills=(), status="open")
    ask = ORDER._replace(live_id="c", side="sell", price=101.0, size=5.0, fills=(), status="open")
    own = OwnOrders([ORDER, bid, ask])
    assert counted(150, own, (5, 2, 1)) == ([3, 2], [1], 3, 1)
    assert counted(200, own, (5, 2, 1)) == ([3, 2], [1], 3, 1), "one that is filled in part still stands"
    assert counted(300, own, (5, 2, 1)) == ([4, 2], [1], 4, 1)
    assert counted(99, own, (5, 2, 1)) == ([5, 2], [1], 5, 1)


def test_what_is_left_of_a_level_is_somebodys() -> None:
    """More of his own than are told: whose size is left is one order at least. Where nobody tells nobody is counted."""
    own = OwnOrders([ORDER, ORDER._replace(live_id="b", size=1.0)])
    assert counted(150, own, (2, 1, 1)) == ([1, 1], [1], 1, 1)
    assert counted(150, own, (0, 0, 0)) == ([0, 0], [0], 0, 0)
