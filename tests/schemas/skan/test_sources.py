"""Which campaign a postback belongs to: hierarchical digits, networks, and what is ambiguous."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.skan.sources import UNKNOWN, Entry, Found, resolve

NET = "net.skadnetwork"


def digits(source: str, campaign: str, network: str | None = None) -> Entry:
    return Entry("source_identifier", source, network, campaign)


def found(source: str, *entries: Entry, network: str = NET) -> Found:
    return resolve("source_identifier", source, network, entries)


@pytest.mark.parametrize("received", ["39", "239", "5239"])
def test_all_that_a_device_tells_of_an_identifier_leads_to_its_campaign(received: str) -> None:
    assert found(received, digits("5239", "spring"), digits("5240", "fall")) == Found("spring")
    assert found(received, digits("39", "spring"), digits("40", "fall")) == Found("spring")


def test_the_longest_entry_that_it_ends_in_decides() -> None:
    entries = digits("39", "spring"), digits("239", "fall"), digits("5239", "winter")
    assert [found(one, *entries).campaign for one in ("39", "139", "239", "1239", "5239")] == [
        "spring", "spring", "fall", "fall", "winter",
    ]  # fmt: skip


def test_too_few_digits_name_a_campaign_when_only_one_is_possible() -> None:
    assert found("39", digits("5239", "spring"), digits("1239", "spring")) == Found("spring")
    assert found("39", digits("5239", "spring"), digits("139", "fall")) == Found(None, ambiguous=True)
    assert found("239", digits("5239", "spring"), digits("139", "fall")) == Found("spring")
    assert found("40", digits("5239", "spring")) == UNKNOWN


def test_an_entry_of_the_network_counts_before_one_of_every_network() -> None:
    entries = digits("39", "spring"), digits("39", "fall", NET), digits("39", "winter", "other.skadnetwork")
    assert found("5239", *entries) == found("39", *entries[::-1]) == Found("fall")
    assert found("39", *entries, network="third.skadnetwork") == Found("spring")
    assert found("39", *entries[2:]) == UNKNOWN
    # the same also when too few digits came: what it stands for with this network
    assert found("39", digits("5239", "spring"), digits("5239", "fall", NET)) == Found("fall")


def test_a_campaign_id_is_exactly_itself() -> None:
    entries = [Entry("campaign_id", "39", None, "spring"), digits("39", "fall"), digits("9", "winter")]
    assert resolve("campaign_id", "39", NET, entries) == Found("spring")
    assert resolve("campaign_id", "9", NET, entries) == resolve("campaign_id", "3", NET, entries) == UNKNOWN
    assert found("39", *entries) == Found("fall")


# few digits, so that they meet
SOURCES = st.text("12", min_size=2, max_size=4)
ENTRIES = st.lists(
    st.builds(digits, SOURCES, st.sampled_from(["a", "b", "c"]), st.sampled_from([None, NET, "other"])),
    max_size=8,
    unique_by=lambda one: (one.source, one.network),
)


@given(SOURCES, ENTRIES, st.randoms(use_true_random=False))
def test_the_order_of_entries_does_not_matter(received: str, entries: list[Entry], random: object) -> None:
    turned = list(entries)
    random.shuffle(turned)  # type: ignore[attr-defined]
    assert found(received, *entries) == found(received, *turned)


@given(SOURCES, ENTRIES, st.builds(digits, SOURCES, st.just("new"), st.sampled_from([None, NET])))
def test_a_more_specific_entry_changes_nothing_that_does_not_end_in_it(
    received: str, entries: list[Entry], new: Entry
) -> None:
    decided = [one for one in entries if received.endswith(one.source) and one.network in (None, NET)]
    if decided and not received.endswith(new.source):
        assert found(received, *entries, new) == found(received, *entries)


@given(SOURCES, ENTRIES)
def test_what_is_found_is_what_fits(received: str, entries: list[Entry]) -> None:
    fitting = {
        one.campaign
        for one in entries
        if one.network in (None, NET) and (received.endswith(one.source) or one.source.endswith(received))
    }
    said = found(received, *entries)
    assert said.campaign in {None, *fitting}
    assert said.ambiguous <= (said.campaign is None)
    if not fitting:
        assert said == UNKNOWN
    if said == UNKNOWN:
        assert not fitting


@given(st.text("12", min_size=4, max_size=4), ENTRIES, st.integers(2, 3))
def test_fewer_digits_never_name_a_campaign_that_all_digits_contradict_when_entries_are_whole(
    identifier: str, entries: list[Entry], told: int
) -> None:
    whole = [one for one in entries if len(one.source) == 4]
    fewer, all_digits = found(identifier[-told:], *whole), found(identifier, *whole)
    if fewer.campaign is not None and all_digits.campaign is not None:
        assert fewer == all_digits
