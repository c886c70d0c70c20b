"""Ledger: orders, money and markets as the log tells them"""
