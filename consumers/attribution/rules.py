"""How far clocks are trusted; the rules themselves are data of each app (`schemas/rules.py`)."""

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

INSTALLED_BEFORE_MS = 24 * HOUR_MS
"""The device's own time of install counts when it is up to this long before the receipt."""
