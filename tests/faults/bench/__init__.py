"""A bench for faults: campaigns drawn by a seed, run against a recorded or synthetic market, and judged.

`python -m tests.faults.bench --seed 1 --campaigns 500` runs for hours and stops at the first campaign that is not
as undisturbed and not said to be broken, shrunk to its smallest reproducer.
"""
