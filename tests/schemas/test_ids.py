import re
import uuid

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.ids import US_PER_HOUR, floor_id, hour_of, new_id, received_us

MOMENTS = st.integers(0, 2**48 * 1000 - 1)  # all a UUIDv7 can say


@given(MOMENTS)
@example(0)
@example(1_767_225_600_123_456)
def test_is_a_uuid_of_version_7_and_of_the_variant_of_the_rfc(at_us: int) -> None:
    made = uuid.UUID(new_id(at_us))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert str(made) == new_id(at_us)[:19] + str(made)[19:]


@given(MOMENTS)
def test_carries_the_millisecond_of_its_receipt(at_us: int) -> None:
    assert received_us(new_id(at_us)) == at_us // 1000 * 1000


@given(MOMENTS, st.integers(1, 10**6))
def test_a_later_id_of_one_process_sorts_behind_an_earlier_one(at_us: int, later_us: int) -> None:
    assert new_id(at_us) < new_id(min(at_us + later_us, 2**48 * 1000 - 1)) or at_us + later_us >= 2**48 * 1000


def test_two_ids_of_one_moment_differ() -> None:
    assert len({new_id(1_767_225_600_123_456) for _ in range(2000)}) == 2000


@given(MOMENTS, st.integers(0, 10**9))
def test_the_floor_is_below_every_id_from_then_on_and_above_those_before(at_us: int, later_us: int) -> None:
    floor = floor_id(at_us)
    assert floor <= new_id(min(at_us + later_us, 2**48 * 1000 - 1))
    if at_us >= 1000:
        assert new_id(at_us - 1000) < floor


def test_the_floor_of_a_moment_before_1970_is_the_lowest_of_all() -> None:
    assert floor_id(-1) == floor_id(0) == "00000000-0000-7000-0000-000000000000"


def test_text_and_database_order_ids_alike() -> None:
    ids = [new_id(1_767_225_600_000_000 + step * 7_919) for step in range(200)]
    assert sorted(ids) == sorted(ids, key=lambda one: uuid.UUID(one).bytes) == ids


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 36,
        "38400000-8cf0-11bd-b23e-10b96e40000d",  # version 1
        "019b76da-a87b-774b-8001-00000000000",
        "019b76da-a87b-774b-8001-0000000000011",
        "019b76da-a87b-774b-8001-00000000000g",
        "019b76da+a87b-774b-8001-000000000001",
        "0x9b76da-a87b-774b-8001-000000000001",
        "01_b76da-a87b-774b-8001-000000000001",
        "019b76da-a87b-774b-8001-000000000001\n",
    ],
)
def test_refuses_what_is_no_uuid_of_version_7(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        received_us(text)


def test_hours_count_from_1970() -> None:
    assert [hour_of(0), hour_of(US_PER_HOUR - 1), hour_of(US_PER_HOUR)] == [0, 0, 1]
