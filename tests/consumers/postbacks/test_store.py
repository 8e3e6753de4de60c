"""What is recorded twice, because nobody heard of the first time, stands once."""

from consumers.postbacks import store
from consumers.postbacks.asking import Answer
from tests.consumers.postbacks.conftest import Sending
from tests.support.partners import Clock, put_postback


async def test_a_record_is_the_same_the_second_time(sending: Sending, clock: Clock) -> None:
    await put_postback(sending.pool, "http://partner.example/", clock.now)
    claim = await store.claim(sending.pool, {"host:partner.example": 5}, clock.now)
    results = [store.judged(one, clock.now, Answer(500, 3, b"later")) for one in claim]
    for _ in range(2):
        await store.record(sending.pool, results)
    assert await sending.states() == [("k", "waiting", 1)]
    assert [attempt["number"] for attempt in await sending.attempts()] == [1]


async def test_what_is_leased_meanwhile_by_another_stays_leased(sending: Sending, clock: Clock) -> None:
    await put_postback(sending.pool, "http://partner.example/", clock.now)
    (late,) = await store.claim(sending.pool, {"host:partner.example": 5}, clock.now)
    clock.pass_(seconds=15)
    (other,) = await store.claim(sending.pool, {"host:partner.example": 5}, clock.now)
    await store.release(sending.pool, [late])
    await store.record(sending.pool, [store.judged(late, late.due_at, Answer(None, 5000, error="No answer."))])
    assert await sending.pool.fetchval("SELECT leased_until FROM postbacks") == other.leased_until
    await store.record(sending.pool, [store.judged(other, clock.now, Answer(200, 5))])
    assert await sending.states() == [("k", "sent", 2)]
    assert await sending.pool.fetchval("SELECT leased_until FROM postbacks") is None


async def test_lanes_are_looked_at_page_by_page(sending: Sending, clock: Clock) -> None:
    for number in range(5):
        await put_postback(sending.pool, f"http://h{number}.example/", clock.now, key=str(number))
    first = await store.lanes(sending.pool, "", 3)
    then = await store.lanes(sending.pool, first[-1]["lane"], 3)
    assert [row["lane"] for row in (*first, *then)] == [f"host:h{number}.example" for number in range(5)]
