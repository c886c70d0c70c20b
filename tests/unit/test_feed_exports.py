"""What we export comes back as it was; a tape's unit of time is recognised."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from papertrader.services.feed.files.convert import convert
from papertrader.services.feed.files.ladder import Ladder
from papertrader.shared.messages import Bbo, Book, Context, Message, Trades
from tests.foreign import MS, hyperliquid_tape, messages, opened, read, saved


@pytest.mark.parametrize("coin", ["BTC", "xyz:SP500", "PURR/USDC", "币安人生", "k:A.B"])
def test_export_to_hftbacktest_comes_back_message_by_message(coin: str, tmp_path: Path) -> None:
    """Names, funding, instrument, times, whole books as whole books; and the same rounds."""
    source = opened(hyperliquid_tape(tmp_path, coin))
    (path,) = convert(source, "hftbacktest", tmp_path / "out")
    again = opened(path)
    assert (again.market, again.symbol, again.instrument) == (source.market, source.symbol, source.instrument)
    assert again.symbol == coin
    assert [round_.messages for round_ in again.rounds()] == [
        (*round_.messages[:-1], other.messages[-1])
        for round_, other in zip(source.rounds(), again.rounds(), strict=True)
    ]
    assert any(isinstance(message, Context) and message.funding_rate for message in messages(again))


def test_export_without_its_index_is_read_by_its_rows(tmp_path: Path) -> None:
    source = opened(hyperliquid_tape(tmp_path, "BTC"))
    (path,) = convert(source, "hftbacktest", tmp_path / "out")
    rows = np.load(path)["data"]
    found = read(saved(tmp_path, rows, "hyperliquid-BTC.npz"))
    assert sum(isinstance(message, Trades) for message in found) == 40 * 2
    assert sum(isinstance(message, Book) for message in found) == 1


@pytest.mark.parametrize("coin", ["BTC", "xyz:SP500", "PURR/USDC", "币安人生"])
def test_export_to_tardis_comes_back_with_the_same_book_prints_and_funding(coin: str, tmp_path: Path) -> None:
    source = opened(hyperliquid_tape(tmp_path, coin))
    paths = convert(source, "tardis", tmp_path / "out")
    assert len(paths) == 5
    again = opened(tmp_path / "out")
    assert (again.market, again.symbol, again.instrument) == (source.market, source.symbol, source.instrument)
    ours, theirs = messages(source), messages(again)
    for kind in (Trades, Bbo):
        assert of_kind(theirs, kind) == of_kind(ours, kind)
    funding = [
        (m.funding_rate, m.oracle_price, m.mark_price, m.open_interest) for m in theirs if isinstance(m, Context)
    ]
    assert funding == [
        (pytest.approx(m.funding_rate), m.oracle_price, m.mark_price, m.open_interest)
        for m in ours
        if isinstance(m, Context)
    ]
    assert final_book(theirs) == final_book(ours)


def of_kind(found: list[Message], kind: type[Message]) -> list[Message]:
    return [message for message in found if type(message) is kind]


def final_book(found: list[Message]) -> dict[int, dict[float, float]]:
    ladder = Ladder()
    for message in found:
        ladder.changes(message)
    return ladder.sides


def test_conversion_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = opened(hyperliquid_tape(tmp_path, "BTC"))
    rounds = source.rounds

    def broken() -> Any:
        yield from list(rounds())[:3]
        raise OSError("disk full")

    monkeypatch.setattr(source, "rounds", broken)
    for form in ("hftbacktest", "tardis"):
        with pytest.raises(OSError, match="disk full"):
            convert(source, form, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(("unit", "digits"), [(1, 0), (1_000, 0), (MS, 0), (10**9, 3)])
def test_tape_in_any_unit_of_time_is_the_same_session(unit: int, digits: int, tmp_path: Path) -> None:
    path = hyperliquid_tape(tmp_path, "BTC")
    expected = messages(opened(path))
    lines = [line.partition(" ") for line in path.read_text().splitlines(keepends=True)]
    written = [
        f"{int(time) // unit}" + (f".{int(time) % unit * 10**digits // unit:0{digits}d}" if digits else "")
        for time, *_ in lines
    ]
    path.write_text("".join(f"{time} {frame}" for time, (_, _, frame) in zip(written, lines, strict=True)))
    assert messages(opened(path)) == expected
