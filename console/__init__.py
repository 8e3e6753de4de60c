"""Management and reports."""
