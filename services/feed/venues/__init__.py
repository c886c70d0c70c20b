"""Venues, one folder each: adding a venue is adding a folder, and nothing else.

A folder says as `VENUE` what it is, reads frames in `frames.py`, keeps its trading rules in `rules.py`, and connects in
`live.py` with the class `Live`.
"""
