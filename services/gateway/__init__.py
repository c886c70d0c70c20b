"""Gateway: a paper Hyperliquid, on which unmodified bots trade"""
