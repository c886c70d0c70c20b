"""Fill-sim, the paper exchange: orders, queues, fills and money."""
