"""Broken bodies and frames against the gateway: `python -m tests.fuzz [HOW_MANY] [SEED]`, or `make fuzz`."""
