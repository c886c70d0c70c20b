"""Orders and the last prints on another price grid: they keep their prices, and get the ticks that these have on it."""

from papertrader.services.fill_sim.schedule import reschedule
from papertrader.shared.market.events import Grid
from papertrader.shared.market.records import Records
from papertrader.shared.market.regrid import inner_tick, prices_of


def regrid_orders(accounts: Records, settings: Records, grid: Grid) -> None:
    """Give every order at the exchange and every command under way its tick on a new grid.

    A price that lies between two ticks of it gets the worse one, which a print reaches later and never earlier; the
    price itself stays, so that a grid that is fine again finds the order where it was.
    """
    for account, account_settings in zip(accounts, settings, strict=True):
        for order in account["orders"][: account["orders_count"]]:
            order["tick"] = inner_tick(grid, float(order["price"]), int(order["side"]))
        for command in account["commands"][: account["commands_count"]]:
            if command["price"] > 0:
                command["tick"] = inner_tick(grid, float(command["price"]), int(command["side"]) or 1)
        reschedule(account, account_settings)


def regrid_prints(market: Records, left: Grid, grid: Grid) -> None:
    """Give the last prints their ticks on a new grid; one that lies between two reaches the less of them."""
    recent = market["recent"][0]
    prices = prices_of(left, recent["tick"])
    for row in recent["ts"].nonzero()[0].tolist():
        recent["tick"][row] = inner_tick(grid, float(prices[row]), int(recent["side"][row]))
