"""The twin: a live maker's own orders through the simulation, compared order by order with what really happened."""
