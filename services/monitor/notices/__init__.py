"""Notices: what a trader is told wherever he is, of fills, checks, PnL and days"""
