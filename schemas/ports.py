"""Ports of health and metrics: offsets from TOUCHLINE_METRICS_PORT, fixed for every role."""

PORTS = {"touches": 32, "attribution": 33, "rejects": 34, "postbacks": 35, "skan": 36, "imports": 37, "console": 38}
"""Offset of each role; worker k of the edge has offset k."""

SECOND_OF_A_ROLE = 40
"""A further process of a role on one host takes its port plus this, at most four times."""
