"""What the estimator follows, on another price grid."""

from papertrader.services.estimator.queues import forget
from papertrader.services.estimator.shadows import bound
from papertrader.shared.market.events import Grid
from papertrader.shared.market.records import Record, Records
from papertrader.shared.market.regrid import inner_tick


def regrid_shadows(market: Records, estimators: Records, left: Grid, grid: Grid) -> None:
    """Give every order that is followed the tick that its price on the grid that was left has, or the worse one.

    Lines of the market's queues are not known any more.
    """
    forget(market[0]["queues"])
    _regrid(market[0]["forecaster"]["shadows"], left, grid)
    for estimator in estimators:
        _regrid(estimator["shadows"], left, grid)


def _regrid(shadows: Record, left: Grid, grid: Grid) -> None:
    for shadow in shadows["rows"][: shadows["count"]]:
        shadow["tick"] = inner_tick(grid, left.price(int(shadow["tick"])), int(shadow["side"]))
    bound(shadows)
