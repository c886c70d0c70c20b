"""A local server that speaks Hyperliquid's and Binance's public protocols, with faults on demand."""
