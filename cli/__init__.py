"""The `papertrader` command, thin."""

import atexit
import gc

gc.set_threshold(200_000, 20, 20)
"""What a command imports and loads makes a million objects and no rubbish: to look for it took a tenth of its time."""
atexit.register(gc.freeze)
"""Nor is any looked for when it ends, which took a fifth."""
