"""The simulated world: the same twice, in the form the edge writes, and true to itself."""

import random
from collections import Counter
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.attribution.describe import crowds, quantile, tables
from benchmarks.attribution.parameters import World
from benchmarks.attribution.people import People
from benchmarks.attribution.places import Places, kind_of
from benchmarks.attribution.shapes import OWN, Clock, draw_delay_s, measured, shapes
from benchmarks.attribution.truth import HOUR_US, Launch, Touch, matchable, same_place
from benchmarks.attribution.world import History, background, build
from consumers.touches.user_agent import from_hints, parse
from ingest.accept import accept
from ingest.caller import caller
from ingest.links import Links
from ingest.touch import Request
from schemas import codec
from schemas.addresses import is_public, parse_address
from schemas.events import Install
from schemas.ids import received_us
from schemas.links import App, Link, Target
from tests.support.data import data_folder

WORLD = World(seed=7, installs=1500, touches=30_000)


@pytest.fixture(scope="module")
def history() -> History:
    return build(WORLD, OWN)


@pytest.fixture(scope="module")
def by_id(history: History) -> dict[str, Touch]:
    return {touch.hit.id: touch for touch in history.touches}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), installs=st.integers(1, 40), touches=st.integers(0, 400))
def test_the_same_parameters_give_the_same_world(seed: int, installs: int, touches: int) -> None:
    world = World(seed=seed, installs=installs, touches=touches)
    first, second = build(world, OWN), build(world, OWN)

    assert first.touches == second.touches and first.launches == second.launches
    assert len(first.launches) == installs and len(first.touches) >= touches


def test_another_seed_gives_another_world() -> None:
    small = World(installs=20, touches=200)
    ids = [
        {touch.hit.id for touch in build(one, OWN).touches} for one in (small, msgspec.structs.replace(small, seed=2))
    ]

    assert not ids[0] & ids[1]


def test_the_background_is_a_stream_in_the_order_of_its_hours() -> None:
    touches = list(background(WORLD, OWN, 5000))
    hours = [touch.hit.touched_us // HOUR_US for touch in touches if touch.label not in ("retry", "repeat")]

    assert len(touches) == 5000
    assert all(before <= after for before, after in pairwise(hours))


def test_every_record_survives_the_codec(history: History) -> None:
    for touch in history.touches:
        assert codec.decode_hit(codec.encode(touch.hit)) == touch.hit
    for launch in history.launches:
        again = codec.decode_conversion(codec.encode(launch.install))
        assert isinstance(again, Install) and again == launch.install


def test_ids_are_unique_and_carry_the_receipt(history: History) -> None:
    ids = [touch.hit.id for touch in history.touches] + [one.install.id for one in history.launches]

    assert len(set(ids)) == len(ids)
    for touch in history.touches:
        assert touch.hit.touched_us // 1000 * 1000 <= received_us(touch.hit.id) <= touch.arrives_us


def test_the_edge_would_write_the_same_hits(history: History) -> None:
    links = Links()
    for app in sorted({link.app for link in history.links}):
        links.put("app", 1, msgspec.json.encode(App(app, "https://example.com/")))
    for link in history.links:
        made = Link(link.id, link.app, targets=(Target("web", "https://example.com/"),))
        links.put("link", 1, msgspec.json.encode(made))
    for touch in history.touches[::20]:
        hit = touch.hit
        headers = dict(hit.headers) | {"user-agent": hit.ua}
        if hit.mode == "redirect":
            headers |= {"accept": "text/html", "sec-fetch-mode": "navigate"}
        now_us = received_us(hit.id) if hit.mode == "s2s" else hit.touched_us
        peer = "192.0.2.1" if hit.mode == "s2s" else hit.ip or ""
        form = "click" if hit.kind == "click" else "impression"
        outcome = accept(Request(form, hit.link, "", hit.query, caller(headers), peer, False, now_us), links)  # type: ignore[arg-type]

        assert outcome.hit is not None and outcome.reject is None
        assert msgspec.structs.replace(outcome.hit, id=hit.id) == hit


def test_every_address_is_public_and_in_canonical_text(history: History) -> None:
    for ip in [touch.hit.ip for touch in history.touches] + [one.install.ip for one in history.launches]:
        if ip is not None:
            network = parse_address(ip)
            assert network is not None and network.text == ip and is_public(network)


def test_agents_tell_of_the_device_what_they_should() -> None:
    people, wrong = People(WORLD, OWN), 0
    for number in range(300):
        device = people.device(number)
        in_app, browser = parse(device.in_app), parse(device.browser)
        assert in_app.os == browser.os == device.os.lower()
        assert browser.frozen == device.frozen and not browser.bot
        if device.os == "Android":
            wrong += in_app.device_model != device.model
        assert device.os_version.startswith(in_app.os_version) or in_app.os_version.startswith(device.os_version)
    assert wrong < 40  # uap-core writes some models in its own way


def test_hints_name_the_model(history: History) -> None:
    hinted = [touch for touch in history.touches if "sec-ch-ua-model" in touch.hit.headers]
    people = People(WORLD, OWN)

    assert hinted
    for touch in hinted[:100]:
        agent = from_hints(touch.hit.headers, parse(touch.hit.ua))
        assert touch.device is not None
        device = people.device(touch.device)
        assert agent.device_model in device.model and agent.os_version == device.os_version.removesuffix(".0")


def test_the_true_touch_is_there_and_fits(history: History, by_id: dict[str, Touch]) -> None:
    for launch in history.launches:
        named = [one for one in (launch.touch, launch.due, *launch.same, *launch.earlier) if one]
        for touch in (by_id[one] for one in named):
            assert touch.device == launch.device and touch.hit.app == launch.install.app
            assert touch.hit.touched_us < launch.launched_us
            assert touch.label in ("clean", "retry", "repeat")
        assert (launch.touch is not None) or not (launch.methods or launch.due or named)


def test_what_is_matchable_lies_within_its_window(history: History, by_id: dict[str, Touch]) -> None:
    windows = {("click", "identifier"): 168, ("click", "referrer"): 168, ("click", "fingerprint"): 24}
    windows |= {("impression", "identifier"): 24}
    for launch in (one for one in history.launches if one.due):
        touch = by_id[launch.due or ""]
        since_us = launch.launched_us - touch.hit.touched_us
        assert 0 < since_us <= windows[touch.hit.kind, launch.due_method] * HOUR_US
        assert "late" not in touch.hit.flags and touch.label != "retry"
        assert launch.due_method in matchable(WORLD, touch.hit, launch.install)


def test_nobody_else_touched_ads_of_an_app_they_install_by_themselves(history: History) -> None:
    told: dict[tuple[int, str], set[str]] = {}
    for one in history.launches:
        known = [id for id in (one.touch, *one.same, *one.earlier) if id]
        told.setdefault((one.device, one.install.app), set()).update(known)
    for touch in history.touches:
        if touch.device is not None and touch.label in ("clean", "retry", "repeat"):
            known_ids = told.get((touch.device, touch.hit.app))
            assert known_ids is None or touch.hit.id in known_ids


def test_what_led_to_a_reinstall_came_after_the_launch_before(history: History, by_id: dict[str, Touch]) -> None:
    first = {(one.device, one.install.app): one.launched_us for one in history.launches if not one.reinstall}
    reinstalls = [one for one in history.launches if one.reinstall]

    assert reinstalls
    for one in reinstalls:
        for touch in (one.touch, *one.same, *one.earlier):
            assert not touch or by_id[touch].hit.touched_us > first[one.device, one.install.app]


def test_shares_are_those_of_the_parameters(history: History) -> None:
    labels = Counter(touch.label for touch in history.touches)
    total = len(history.touches)

    assert total == WORLD.touches
    assert labels["flooding"] / total == pytest.approx(WORLD.flooding_share, rel=0.1)
    assert labels["bot"] / total == pytest.approx(WORLD.bot_share, rel=0.15)
    assert labels["spam"] / total == pytest.approx(WORLD.spam_share, rel=0.2)
    organic = sum(one.touch is None for one in history.launches) / len(history.launches)
    assert organic == pytest.approx(WORLD.organic_share, abs=0.05)
    reinstalls = sum(one.reinstall for one in history.launches) / len(history.launches)
    assert reinstalls == pytest.approx(WORLD.reinstall_share, abs=0.02)
    assert {one.method for one in history.launches} == {"identifier", "referrer", "fingerprint", "none"}


def test_injected_clicks_contradict_the_times_of_the_store(history: History, by_id: dict[str, Touch]) -> None:
    injected = [one for one in history.launches if one.injected]

    assert injected and len(injected) == sum(touch.label == "injection" for touch in history.touches)
    for launch in injected:
        touch, referrer = by_id[launch.injected or ""], launch.install.referrer
        assert 0 < launch.launched_us - touch.hit.touched_us <= 10_000_000
        assert referrer is not None and referrer.install_begin_timestamp_seconds is not None
        assert touch.hit.touched_us // 1_000_000 >= referrer.install_begin_timestamp_seconds


def test_honest_clicks_do_not_contradict_them(history: History) -> None:
    for launch in (one for one in history.launches if not one.injected and one.install.referrer):
        referrer = launch.install.referrer
        assert referrer is not None and referrer.install_begin_timestamp_seconds is not None
        assert (referrer.referrer_click_timestamp_seconds or 0) <= referrer.install_begin_timestamp_seconds
        assert referrer.install_begin_timestamp_seconds * 1_000_000 < launch.launched_us


def test_a_retry_repeats_the_click_id_and_a_repeat_does_not(history: History) -> None:
    clicks: dict[str, list[Touch]] = {}
    for touch in history.touches:
        clicks.setdefault(parse_qs(touch.hit.query)["click_id"][0], []).append(touch)

    for sent in clicks.values():
        retries = [touch for touch in sent if touch.label == "retry"]
        assert len(sent) == 1 + len(retries)
        assert len({touch.hit.query for touch in sent}) == 1


def test_flooding_links_have_many_clicks_and_hardly_an_install(history: History, by_id: dict[str, Touch]) -> None:
    flooding = {touch.hit.link for touch in history.touches if touch.label == "flooding"}

    assert flooding == {link.id for link in history.links if link.floods}
    assert all(touch.label == "flooding" for touch in history.touches if touch.hit.link in flooding)
    assert not any(one.touch and by_id[one.touch].hit.link in flooding for one in history.launches)


def test_some_touches_arrive_after_their_install(history: History, by_id: dict[str, Touch]) -> None:
    led = [(one, by_id[one.touch]) for one in history.launches if one.touch]

    assert any(touch.arrives_us > one.arrives_us for one, touch in led)
    assert any("late" in touch.hit.flags for touch in history.touches)


def test_delays_have_the_shape_of_their_curve(history: History, by_id: dict[str, Touch]) -> None:
    delays = sorted(delay_minutes(one, by_id) for one in history.launches if one.touch)

    assert delays[0] >= WORLD.delay_s_min / 60
    assert 3 < quantile(delays, 0.5) < 9  # 5 by the curve, a little more by the long delays
    assert 120 < quantile(delays, 0.85) < 480
    assert quantile(delays, 0.99) > 24 * 60


def delay_minutes(launch: Launch, by_id: dict[str, Touch]) -> float:
    return (launch.launched_us - by_id[launch.touch or ""].hit.touched_us) / 60_000_000


def test_the_day_has_its_wave(history: History) -> None:
    hours = Counter(touch.hit.touched_us // HOUR_US % 24 for touch in history.touches)

    assert hours[15] > 3 * hours[3]


def test_crowds_are_small_at_home_and_large_at_carriers() -> None:
    found = crowds(background(World(seed=3, installs=2000, touches=40_000), OWN, 40_000))

    assert quantile(found["home"], 0.99) <= 6
    assert found["mobile"][-1] > 20 and found["office"][-1] > 2


@given(number=st.integers(0, 10**6), hour=st.integers(0, 400))
def test_a_device_has_one_place_at_a_time(number: int, hour: int) -> None:
    people, places = People(WORLD, OWN), Places(WORLD)
    at_us = WORLD.begins_s * 1_000_000 + hour * HOUR_US
    seat = places.seat(people.device(number).resident, at_us)

    assert seat == places.seat(people.device(number).resident, at_us + HOUR_US - 1)
    assert kind_of(seat.v4).endswith(seat.kind) and seat.seen(False) == seat.v4


def test_a_place_covers_only_what_it_names() -> None:
    assert same_place("79.1.2.3", "79.1.2.3") and same_place("79.1.2.0/24", "79.1.2.3")
    assert same_place("2a02:8000:0:1::7", "2a02:8000:0:1::9")
    assert not same_place("79.1.2.3", "79.1.2.4") and not same_place("2a02:8000:0:1::7", "2a02:8000:0:2::7")
    assert not same_place(None, "79.1.2.3") and not same_place("79.1.2.3", None)


def test_a_world_describes_itself(history: History) -> None:
    assert next(table.title for table in tables(history)) == "Touches"


def test_without_the_click_log_the_own_curves_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHLINE_TEST_DATA", str(tmp_path))

    assert shapes() is OWN


@pytest.mark.data
def test_the_click_log_gives_the_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHLINE_TEST_DATA", str(data_folder()))
    found = shapes()
    dice = random.Random(1)
    minutes = sorted(draw_delay_s(dice, found.delay_minutes) / 60 for _ in range(20_000))

    assert found == measured(data_folder() / "traffic" / "click_distributions.json")
    for share, expected in found.delay_minutes[1:4]:
        assert quantile(minutes, share) == pytest.approx(expected, rel=0.15)
    hours = Counter(Clock(found, 0, 14).draw_us(dice) // HOUR_US % 24 for _ in range(20_000))
    assert hours[4] / 20_000 == pytest.approx(found.hours[4] / sum(found.hours), rel=0.15)
