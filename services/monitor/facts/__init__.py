"""What the monitor knows of a market: facts gathered from the log."""
