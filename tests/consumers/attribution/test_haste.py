import pytest

from consumers.attribution.facts import Play
from consumers.attribution.haste import too_soon
from tests.consumers.attribution.samples import AT_US, MINUTE_US, SECOND_US, install, touch


@pytest.mark.parametrize(
    ("age_us", "figures"),
    [
        (10 * SECOND_US, None),
        (10 * SECOND_US - 1, {"seconds": 9}),
        (SECOND_US, {"seconds": 1}),
        (0, {"seconds": 0}),
    ],
)
def test_nobody_installs_within_seconds(age_us: int, figures: dict[str, int] | None) -> None:
    assert too_soon(install(), touch(age_us=age_us)) == figures


def test_when_a_devices_clock_is_slow_the_receipt_tells() -> None:
    after = touch(age_us=-MINUTE_US)
    for received_us, figures in (
        (AT_US + MINUTE_US + 10 * SECOND_US, None),
        (AT_US + MINUTE_US + 9 * SECOND_US, {"seconds": 9}),
        (AT_US, {"seconds": 0}),
    ):
        assert too_soon(install(received_us=received_us), after) == figures


def test_a_touch_after_the_download_had_begun_by_googles_clock_did_not_cause_it() -> None:
    touched_us = AT_US - MINUTE_US
    for begun_us, figures in (
        (touched_us - 30 * SECOND_US, {"seconds_after_begin": 30}),
        (touched_us - SECOND_US, {"seconds_after_begin": 1}),
        (touched_us - SECOND_US + 1, None),
        (touched_us + SECOND_US, None),
    ):
        assert too_soon(install(play=Play(server_begun_us=begun_us)), touch()) == figures, begun_us


def test_times_by_the_devices_clock_are_not_compared_with_ours() -> None:
    play = Play(clicked_us=AT_US, begun_us=AT_US - 20 * MINUTE_US)
    assert too_soon(install(play=play), touch()) is None
