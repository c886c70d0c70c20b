"""The built-in strategy's rule as a compiled strategy of a user's: the same orders, by the way that all others go.

[quoter]
strategy = "glft_as_a_user.py:decide"
"""

import numpy as np

from papertrader.compiled import quote, sleep
from papertrader.services.quoter.config import QuoterConfig
from papertrader.services.quoter.glft import TARGET, TERMS, lay
from papertrader.services.quoter.kernel import TARGETS
from papertrader.shared.market.book import price_of
from papertrader.shared.market.records import settings_records

NUMBERS = settings_records([QuoterConfig()])[0]
SETTINGS = {name: NUMBERS[name].item() for name in NUMBERS.dtype.names or ()}
MEMORY = {"terms": np.zeros((), dtype=TERMS), "targets": np.zeros(TARGETS, dtype=TARGET)}
FOREVER = 1 << 62


def decide(view, settings, memory, out):  # type: ignore[no-untyped-def]
    """GLFT's ladder of both sides."""
    count = lay(view.now, settings, memory.terms, memory.targets)
    for index in range(count):
        target = memory.targets[index]
        quote(out, target.side, price_of(view.now, target.tick), target.size)
    sleep(out, FOREVER)
