"""Measurements of the whole: `python -m benchmarks` makes one table of them. `shared` comes first, as in `services`."""

import shared  # noqa: F401
