"""Exchange: what a signed request asks for, and what it is answered"""
