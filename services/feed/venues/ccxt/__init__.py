"""Any venue that ccxt knows."""
