"""`touchline skan …`: SKAdNetwork and AdAttributionKit from the shell."""
