"""Outcome-tracker: what the market did after every fill."""
