import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from papertrader.shared.log.kinds import ACCOUNT_KINDS, MARKET_DATA, TOKENS
from papertrader.shared.log.subjects import Address, Market, address, subject, token

MARKET = Market("hyperliquid", "BTC")
SYMBOLS = st.text(min_size=1, max_size=12)


def symbol_token(symbol: str) -> str:
    try:
        return token(symbol)
    except ValueError:
        assume(False)
        raise


@pytest.mark.parametrize(
    ("kind", "account", "expected"),
    [
        ("book", "", "md.hyperliquid.BTC.book"),
        ("round", "", "md.hyperliquid.BTC.round"),
        ("orders", "main", "orders.hyperliquid.BTC.main"),
        ("fills", "main", "fills.hyperliquid.BTC.main"),
        ("estimate", "main", "params.hyperliquid.BTC.main.estimate"),
        ("calibration", "main", "params.hyperliquid.BTC.main.calibration"),
        ("control", "main", "control.hyperliquid.BTC.main"),
    ],
)
def test_subject_of_a_kind_is_the_documented_one(kind: str, account: str, expected: str) -> None:
    assert subject(kind, MARKET, account) == expected


@given(st.sampled_from(sorted(MARKET_DATA)), SYMBOLS, SYMBOLS)
def test_address_of_market_data_inverts_subject(kind: str, venue: str, asset: str) -> None:
    market = Market(symbol_token(venue), symbol_token(asset))
    assert address(subject(kind, market)) == Address(kind, market, "")


@given(st.sampled_from(sorted(ACCOUNT_KINDS)), SYMBOLS, SYMBOLS, SYMBOLS)
def test_address_of_an_account_message_inverts_subject(kind: str, venue: str, asset: str, account: str) -> None:
    market, name = Market(symbol_token(venue), symbol_token(asset)), symbol_token(account)
    assert address(subject(kind, market, name)) == Address(kind, market, name)


@pytest.mark.parametrize("kind", [*MARKET_DATA, *ACCOUNT_KINDS])
def test_every_subject_lies_in_the_stream(kind: str) -> None:
    assert subject(kind, MARKET, "main").split(".")[0] in TOKENS


@pytest.mark.parametrize(
    "name",
    [
        "md.hyperliquid.BTC.unknown",
        "md.hyperliquid.BTC",
        "md.hyperliquid.BTC.book.more",
        "params.hyperliquid.BTC.main.unknown",
        "estimate.hyperliquid.BTC.main",
        "orders.hyperliquid.BTC",
        "orders.hyperliquid.BTC.main.more",
        "health.quoter.worker.x",
        "",
    ],
)
def test_address_of_a_foreign_subject_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a subject of the log"):
        address(name)


def test_token_replaces_dots() -> None:
    assert token("BTC.USDT.P") == "BTC_USDT_P"


@pytest.mark.parametrize("symbol", ["", "BTC USDT", "BTC\n", "BTC*", ">", "\t", "a\r"])
def test_token_refuses_what_cannot_stand_in_a_subject(symbol: str) -> None:
    with pytest.raises(ValueError, match="cannot be part of a subject"):
        token(symbol)
