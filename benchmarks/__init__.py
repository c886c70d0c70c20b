"""Measurements of the whole: `python -m benchmarks` makes one table of them. `shared` comes first, as in `services`."""

import papertrader.shared  # noqa: F401
