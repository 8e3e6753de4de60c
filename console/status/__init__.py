"""What `touchline status` looks at: Postgres, the journals of this host, Kafka, the metrics ports."""
