"""Feed: every source of market data, live, recorded or synthetic, told round by round."""
