"""One body of an id counts, whatever the order in which the log brings them."""

from hypothesis import given
from hypothesis import strategies as st

from consumers.skan.judging import Claim, Subject, judge

SUBJECTS: list[Subject] = [("skadnetwork", "a"), ("adattributionkit", "a"), ("skadnetwork", "b")]


class World:
    """What a table would hold: verdicts change as `judge` says."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[Subject, Claim, str]] = {}

    def store(self, new: list[tuple[Subject, Claim]]) -> None:
        standing = {subject: claim for subject, claim, verdict in self.rows.values() if verdict == "valid"}
        judged = judge(new, standing)
        for subject, hash in judged.displaced.items():
            for id, (its, claim, _) in self.rows.items():
                if its == subject:
                    self.rows[id] = (its, claim, "duplicate" if claim.hash == hash else "changed")
        for subject, claim in new:
            self.rows[claim.id] = (subject, claim, judged.verdicts[claim.id])

    @property
    def verdicts(self) -> dict[str, str]:
        return {id: verdict for id, (_, _, verdict) in self.rows.items()}


bodies = st.lists(
    st.tuples(st.sampled_from(SUBJECTS), st.integers(0, 40), st.sampled_from([b"x", b"y", b"z"])),
    unique_by=lambda one: one[1],
    max_size=12,
)


@given(bodies, st.lists(st.integers(1, 5), min_size=12, max_size=12), st.randoms(use_true_random=True))
def test_the_order_and_the_batches_change_nothing(
    found: list[tuple[Subject, int, bytes]], sizes: list[int], dice: object
) -> None:
    claims = [(subject, Claim(f"{at:03}", hash)) for subject, at, hash in found]
    expected: dict[str, str] = {}
    first: dict[Subject, Claim] = {}
    for subject, claim in sorted(claims, key=lambda one: one[1].id):
        if subject not in first:
            first[subject] = claim
            expected[claim.id] = "valid"
        else:
            expected[claim.id] = "duplicate" if claim.hash == first[subject].hash else "changed"
    dice.shuffle(claims)  # type: ignore[attr-defined]
    world = World()
    for size in sizes:
        world.store(claims[:size])
        del claims[:size]
    assert world.verdicts == expected
