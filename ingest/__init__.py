"""The edge: HTTP → journal → Kafka."""
