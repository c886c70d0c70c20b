"""Venues, one folder each: adding a venue is adding a folder."""
