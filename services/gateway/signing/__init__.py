"""Signing: who signed a request, by the rules of the venue's clients"""
