"""papertrader: a paper trader for market makers."""
