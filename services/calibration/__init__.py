"""Calibration: how far what was learned may be trusted, and how bold the quotes may be."""
