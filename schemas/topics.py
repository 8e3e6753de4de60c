"""The topics of the log; the journals of a worker carry the same names."""

from typing import Literal

Topic = Literal["hits", "conversions", "rejects"]

HITS: Topic = "hits"
CONVERSIONS: Topic = "conversions"
REJECTS: Topic = "rejects"

TOPICS: tuple[Topic, ...] = (HITS, CONVERSIONS, REJECTS)

Consumer = Literal["touches", "attribution", "rejects"]

READS: dict[Consumer, Topic] = {"touches": HITS, "attribution": CONVERSIONS, "rejects": REJECTS}
"""Which topic each consumer reads: one consumer a topic."""
