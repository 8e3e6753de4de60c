"""What every process of the product has: a start and an end, health and metrics, a database pool."""
