"""The commands of `papertrader`, by what they are about: thin, every answer also as JSON."""
