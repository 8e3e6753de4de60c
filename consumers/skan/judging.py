"""Which body of an id counts: the first received of those that verify, in whatever order they are stored. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from schemas.events import Framework

Subject = tuple[Framework, str]
"""Framework and transaction."""

REASONS = {
    "duplicate": "Its id and its content came before: a device sends until it is answered.",
    "changed": "Its id came before with another content: conversion values and what else is not signed can be changed.",
}


class Claim(NamedTuple):
    """A body that verifies."""

    id: str
    """Of its record: the time of receipt."""
    hash: bytes


class Judged(NamedTuple):
    """What the new bodies are, and which bodies that stood as valid make room."""

    verdicts: dict[str, str]
    """Id → valid, duplicate or changed."""
    displaced: dict[Subject, bytes]
    """Subject → hash of its new first body: all that stood of it are duplicates of that, or changed."""


def judge(new: Iterable[tuple[Subject, Claim]], standing: Mapping[Subject, Claim]) -> Judged:
    """`standing`: what counts of each subject so far."""
    first = dict(standing)
    verifying = sorted(new, key=lambda one: one[1].id)
    for subject, claim in verifying:
        if subject not in first or claim.id < first[subject].id:
            first[subject] = claim
    verdicts: dict[str, str] = {}
    for subject, claim in verifying:
        if claim.id == first[subject].id:
            verdicts[claim.id] = "valid"
        else:
            verdicts[claim.id] = "duplicate" if claim.hash == first[subject].hash else "changed"
    displaced = {subject: first[subject].hash for subject, stood in standing.items() if first[subject].id != stood.id}
    return Judged(verdicts, displaced)
