"""Installs and events → Postgres, and which touch caused each install."""
