"""What the broker says of itself, as Prometheus metrics."""
