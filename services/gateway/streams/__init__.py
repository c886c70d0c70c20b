"""Streams: WebSocket connections, what they subscribed to, and what is pushed to them"""
