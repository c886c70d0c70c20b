"""Fill models judged on order-by-order data: what each forecasts of shadow orders whose exact fate is known."""
