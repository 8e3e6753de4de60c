from console.arrivals import OUT_OF_ORDER_US, SEEN_MAX, Arrival, Window
from schemas.ids import new_id

T = 1_800_000_000_000_000


def arrival(at_us: int) -> Arrival:
    return Arrival("touch", str(new_id(at_us)), at_us, {})


def test_nothing_is_shown_twice() -> None:
    window, first, second = Window(), arrival(T), arrival(T + 1000)
    assert window.new([first]) == [first]
    window.advance(T)
    assert window.new([first, second]) == [second]


def test_what_commits_out_of_order_is_still_read() -> None:
    window = Window()
    window.advance(T)
    assert window.floor_us == T - OUT_OF_ORDER_US
    window.advance(T - 60_000_000)
    assert window.floor_us == T - OUT_OF_ORDER_US


def test_memory_is_bounded() -> None:
    window = Window()
    window.new(arrival(T + number) for number in range(SEEN_MAX + 10))
    window.advance(T)
    assert len(window._seen) == SEEN_MAX
    window.advance(T + 2 * OUT_OF_ORDER_US)
    assert not window._seen
