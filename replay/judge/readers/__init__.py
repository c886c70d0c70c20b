"""Readers of order-by-order files: one format each."""
