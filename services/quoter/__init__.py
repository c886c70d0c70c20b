"""Quoter: the strategies, and the orders that their targets need."""
