"""The edge's own rejects → Postgres."""
