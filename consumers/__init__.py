"""Kafka or journal → Postgres."""
