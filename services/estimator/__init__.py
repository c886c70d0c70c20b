"""Estimator: κ from own fills, σ, regime and toxicity."""
