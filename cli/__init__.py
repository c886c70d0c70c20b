"""The `papertrader` command, thin."""
