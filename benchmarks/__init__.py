"""Measurements of the whole: `python -m benchmarks` makes one table of them."""
