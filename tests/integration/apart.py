"""A fill-sim worker whose leases live in a bucket of their own: it takes every market, and nobody gives one up for it.

As a module it is a service process: `python -m tests.integration.apart --settings FILE`.
"""

from papertrader.services.fill_sim.__main__ import SERVICE
from papertrader.shared.log import lease
from papertrader.shared.service.runtime import main

if __name__ == "__main__":
    vars(lease)["BUCKET"] = "PAPER_LEASES_APART"
    main(SERVICE)
