"""The quoter's orders on another price grid."""

from papertrader.services.quoter.orders import FREE
from papertrader.shared.market.events import Grid
from papertrader.shared.market.records import Records
from papertrader.shared.market.regrid import inner_tick


def regrid_orders(quoters: Records, left: Grid, grid: Grid) -> None:
    """Give every open order the tick on a new grid that its price on the one that was left has, or the worse one."""
    for state in quoters:
        for order in state["orders"][: state["rows"]]:
            if order["status"] != FREE:
                order["tick"] = inner_tick(grid, left.price(int(order["tick"])), int(order["side"]))
