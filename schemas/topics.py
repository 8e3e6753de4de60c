"""The topics of the log; the journals of a worker carry the same names."""

from typing import Literal

Topic = Literal["hits", "conversions", "skan", "rejects"]

HITS: Topic = "hits"
CONVERSIONS: Topic = "conversions"
SKAN: Topic = "skan"
REJECTS: Topic = "rejects"

TOPICS: tuple[Topic, ...] = (HITS, CONVERSIONS, SKAN, REJECTS)

Consumer = Literal["touches", "attribution", "skan", "rejects"]

READS: dict[Consumer, Topic] = {"touches": HITS, "attribution": CONVERSIONS, "skan": SKAN, "rejects": REJECTS}
"""Which topic each consumer reads: one consumer a topic."""
