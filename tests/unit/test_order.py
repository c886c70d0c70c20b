"""`papertrader order`: one order's life on a small tape, worked by hand."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from papertrader.cli.main import app

T0 = 1_763_370_000_000
"""Of the tape, ms."""


def frame(ms: int, channel: str, data: dict[str, Any] | list[Any]) -> str:
    return f"{(T0 + ms + 1) * 1_000_000} " + json.dumps({"channel": channel, "data": data}) + "\n"


def book(ms: int, bids: dict[str, str], asks: dict[str, str]) -> str:
    sides = [[{"px": price, "sz": size, "n": 1} for price, size in side.items()] for side in (bids, asks)]
    return frame(ms, "l2Book", {"coin": "ABC", "time": T0 + ms, "levels": sides})


def print_(ms: int, side: str, price: str, size: str, tid: int) -> str:
    one = {"coin": "ABC", "side": side, "px": price, "sz": size, "time": T0 + ms, "tid": tid}
    return frame(ms, "trades", [one])


BIDS = {"99.9": "4.0", "99.8": "10.0"}
ASKS = {"100.1": "4.0", "100.2": "10.0"}


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """The best bid of 4 is sold to twice, 4 and 3 coins, then the mid falls by 10 ticks and comes back."""
    lines = [book(ms, BIDS, ASKS) for ms in (0, 1_000, 1_500)]
    lines += [print_(2_000, "A", "99.9", "4.0", 1), book(2_010, {"99.9": "1.0", "99.8": "10.0"}, ASKS)]
    lines += [print_(3_000, "A", "99.9", "3.0", 2), book(3_500, {"98.9": "4.0"}, {"99.1": "4.0"})]
    lines += [book(4_000 + 500 * step, BIDS, ASKS) for step in range(12)]
    path = tmp_path / "tape.txt"
    path.write_text("".join(lines))
    return path


def asked(tape: Path, *arguments: str) -> dict[str, Any]:
    """The answer to `papertrader order --json`."""
    result = CliRunner().invoke(app, ["order", str(tape), "--account", "latency_preset=none", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_order_waits_behind_what_was_there_and_is_filled_by_what_reaches_it(tape: Path) -> None:
    """4 ahead when it joins at 1.1 s; the first print takes them, the second one it."""
    answer = asked(tape, "--place", f"{T0 + 1_000} buy 99.9 1 post_only", "--account", "maker_fee_bps=2")
    (order,) = answer["orders"]
    assert (order["order_id"], order["status"], order["reason"]) == (1, "filled", "none")
    assert order["live_ts"] == (T0 + 1_100) * 1_000_000
    assert order["queue_ahead"] == 4.0
    assert [queue["ahead"] for queue in order["queue"]][:2] == [4.0, 0.0]
    (fill,) = order["fills"]
    assert (fill["ts"], fill["price"], fill["size"], fill["maker"]) == ((T0 + 3_000) * 1_000_000, 99.9, 1.0, True)
    assert fill["fee"] == pytest.approx(99.9 * 2e-4)
    assert fill["markouts_bps"]["0.5"] == pytest.approx((99.0 - 99.9) / 99.9 * 1e4)
    assert fill["markouts_bps"]["1"] == pytest.approx((100.0 - 99.9) / 99.9 * 1e4)
    account = answer["account"]
    assert account["position"] == 1.0
    assert account["total"] == pytest.approx(0.1 - 99.9 * 2e-4)
    assert (answer["instrument"]["kind"], answer["instrument"]["contract_size"]) == ("perpetual", 1.0)
    assert answer["data"]["locked_share"] == answer["data"]["unknown_queue_share"] == 0.0
    assert answer["data"]["refused"] == {}


def test_orders_that_are_not_filled_say_why(tape: Path) -> None:
    answer = asked(
        tape,
        *("--place", f"{T0 + 1_000} buy 100.1 1 post_only"),
        *("--place", f"{T0 + 1_000} buy 98.5 1 post_only"),
        *("--place", f"{T0 + 1_000} buy 99.9 1 post_only"),
        *("--place", f"{T0 + 1_000} sell 100.2 1 gtc"),
        *("--cancel", f"{T0 + 2_500} 3"),
        *("--cancel", f"{T0 + 2_600} 1"),
    )
    found = [(order["status"], order["reason"]) for order in answer["orders"]]
    assert found == [
        ("rejected", "post_only_would_cross"),
        ("accepted", "never_touched"),
        ("cancelled", "queue_not_reached"),
        ("accepted", "never_touched"),
    ]
    assert answer["orders"][2]["ended_ts"] == (T0 + 2_550) * 1_000_000
    assert answer["orders"][0]["answers"][-1]["status"] == "refused"
    assert answer["account"]["position"] == 0.0


def test_order_at_the_very_end_is_still_answered(tape: Path) -> None:
    answer = asked(tape, "--place", f"{T0 + 9_500} buy 100.1 5 ioc")
    (order,) = answer["orders"]
    assert (order["status"], order["filled_size"]) == ("expired", 4.0)
    assert answer["account"]["position"] == 4.0


def test_a_stop_is_triggered_by_the_mid_and_takes_at_the_next_round(tape: Path) -> None:
    """Long 1 at 100.1; the mid is 99 from 3.5 s on, and the stop of 99.5 sells at the bid of 98.9."""
    entry, stop = f"{T0 + 1_000} buy 100.1 1 ioc", f"{T0 + 1_000} sell 98 1 ioc reduce_only stop=99.5"
    answer = asked(tape, "--place", entry, "--place", stop, "--place", f"{T0 + 1_000} sell 90 1 gtc take_profit=150")
    _, order, waiting = answer["orders"]
    assert [item["status"] for item in order["answers"]] == ["waiting", "triggered", "accepted", "filled"]
    assert [(fill["price"], fill["size"]) for fill in order["fills"]] == [(98.9, 1.0)]
    assert (waiting["status"], answer["account"]["position"]) == ("rejected", 0.0)


def test_a_bid_comes_before_what_joined_and_a_fast_cancel_before_a_taker(tape: Path) -> None:
    """99.9 · 1 bp, for a level that does not grow; cancelled at 1.95 instead of 2.1 s it escapes the taker of 2 s."""
    answer = asked(
        tape,
        *("--place", f"{T0 + 1_000} buy 99.9 1 post_only priority=1", "--cancel", f"{T0 + 1_900} 1 fast"),
        *("--account", "cancel_latency_ms=200", "--account", "fast_cancel_latency_ms=50"),
    )
    (order,) = answer["orders"]
    assert (order["status"], order["priority_fee"], order["queue_passed"]) == ("cancelled", pytest.approx(0.00999), 0.0)
    assert order["won_by_ms"] == pytest.approx(50.0)
    assert answer["account"]["priority_fees"] == pytest.approx(0.00999)


def test_answer_for_people_tells_the_life_and_the_money(tape: Path) -> None:
    arguments = ["order", str(tape), "--place", f"{T0 + 1_000} buy 99.9 1 post_only"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    for text in ("hyperliquid ABC", "order 1: buy 1 at 99.9", "queue ahead 4", "filled", "position 1"):
        assert text in result.stdout


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "no order: give --place"),
        (["--place", "1763370001000 buy 99.9"], "has 3 words"),
        (["--place", "1763370001000 long 99.9 1 gtc"], "SIDE is buy or sell"),
        (["--place", "1763370001000 buy 99.9 1 fok"], "TIF is one of post_only, gtc, ioc"),
        (["--place", "1763370001000 buy 99.9 1 gtc stop=1 stop=2"], "has 7 words"),
        (["--place", "1763370001000 buy 99.9 1 gtc stop=x"], "STOP 'x' is not a number"),
        (["--place", "1763370001000 buy 99.9 1 post_only stop=99"], "is gtc or ioc, not post_only"),
        (["--place", "1763370001000 buy 99 1 ioc stop=99 priority=1"], "bids for no place"),
        (["--place", "1763370001000 buy 99 1 ioc priority=10001"], "priority is 0 to 10000 bp"),
        (["--place", "1763370001000 buy 99 1 ioc priority=x"], "priority 'x' is not a number"),
        (["--place", "1763370001000 buy 99 1 ioc", "--cancel", "1763370001000 1 soon"], "write"),
        (["--place", "1763370001000 buy x 1 gtc"], "PRICE 'x' is not a number"),
        (["--place", "1763370001000 buy 99.9 inf gtc"], "SIZE 'inf' is not a finite number"),
        (["--place", "soon buy 99.9 1 gtc"], "TS_MS 'soon' is not a Unix time in ms"),
        (["--place", "1763370901000 buy 99.9 1 gtc"], "is after the tape's end"),
        (["--place", "1763370001000 buy 99.9 1 gtc", "--cancel", "1763370001000 2"], "there is no order 2"),
        (["--place", "1763370001000 buy 99.9 1 gtc", "--account", "fill_modle=flat"], "did you mean 'fill_model'"),
        (["--place", "1763370001000 buy 99.9 1 gtc", "--account", "fill_model"], "write KEY=VALUE"),
    ],
)
def test_question_that_cannot_be_answered_gets_one_clear_line(tape: Path, arguments: list[str], text: str) -> None:
    result = CliRunner().invoke(app, ["order", str(tape), "--account", "latency_preset=none", *arguments, "--json"])
    assert result.exit_code == 2
    assert text in result.stderr
    assert "Traceback" not in result.output


def test_forecast_is_the_last_one_and_certain_for_what_took_its_fill(tape: Path) -> None:
    """10 behind 4: 7 are sold there, 4 more are offered at 99.1, 3 rest. What takes is filled for certain."""
    answer = asked(tape, "--place", f"{T0 + 1_000} buy 99.9 10 post_only", "--place", f"{T0 + 1_000} buy 100.1 1 gtc")
    resting, taken = answer["orders"]
    assert (resting["status"], resting["filled_size"], resting["p_fill"]) == ("accepted", 7.0, 1.0)
    assert (taken["status"], taken["p_fill"], taken["fills"][0]["maker"]) == ("filled", 1.0, False)


def test_queue_that_nothing_told_stays_unknown_when_the_market_goes_through(tape: Path) -> None:
    answer = asked(tape, "--place", f"{T0 + 1_000} buy 99.5 1 post_only")
    (order,) = answer["orders"]
    assert (order["status"], order["queue_ahead"], order["queue"][0]["ahead"]) == ("filled", None, None)
    assert answer["data"]["unknown_queue_share"] == 1.0
