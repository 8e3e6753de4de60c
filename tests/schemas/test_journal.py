import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import CorruptJournal
from schemas.journal import (
    END,
    FRAME_BYTES_MAX,
    FRAME_HEADER,
    FRAME_MAGIC,
    SEGMENT_BYTES_MAX,
    SEGMENT_HEADER,
    START,
    End,
    Gap,
    Identity,
    Position,
    byte_of,
    journals,
    pack_end,
    pack_frame,
    position,
    publish,
    published,
    read_end,
    read_frames,
    read_identity,
    scan,
    segment_header,
    segment_of,
    segment_path,
    segments,
)

UUID = bytes(range(16))
PAYLOADS = (b'{"a":1}\n{"kind":"tally"}', b"", b"\n" * 7, b"TLF1 in the payload is no frame")


def write_segment(folder: Path, segment: int, payloads: Sequence[bytes], *, first: int = 1) -> Position:
    """A whole segment; the position behind its last frame."""
    data = segment_header(UUID, segment)
    data += b"".join(pack_frame(1, first + number, payload) for number, payload in enumerate(payloads))
    segment_path(folder, segment).write_bytes(data)
    return position(segment, len(data))


def read(folder: Path, at: Position, end: Position) -> tuple[list[bytes], list[Gap]]:
    """All payloads up to `end` as a consumer reads them, and the gaps it met; in whatever portions."""
    slowly, at_once = (read_in_portions(folder, at, end, bytes_max) for bytes_max in (1, 10**6))
    assert slowly == at_once
    return slowly


def read_in_portions(folder: Path, at: Position, end: Position, bytes_max: int) -> tuple[list[bytes], list[Gap]]:
    payloads: list[bytes] = []
    gaps: list[Gap] = []
    while at < end:
        frames, gap = read_frames(folder, at, end=end, bytes_max=bytes_max)
        assert frames or gap, "a reader must always come on"
        if gap:
            assert at <= gap.start
            assert gap.start < gap.stop <= end
            gaps.append(gap)
            at = gap.stop
        else:
            assert at <= frames[0].at
            payloads += [frame.payload for frame in frames]
            at = frames[-1].next
    return payloads, gaps


def test_the_bytes_on_disk_are_the_same_for_ever() -> None:
    # Journals outlive the program that wrote them.
    assert segment_header(UUID, 2).hex() == "544c534547303031000102030405060708090a0b0c0d0e0f0200000000000000"
    assert pack_frame(3, 9, b"x").hex() == "544c4631010000001965c34003000000090000000000000078"
    assert pack_end(End(position(3, 4096), 17, 2)).hex() == "03000000001000001100000000000000020000001020aad9"
    assert (position(1, 0), position(3, 4096)) == (START, 3 * 2**32 + 4096)
    assert (SEGMENT_BYTES_MAX, FRAME_BYTES_MAX) == (64 * 2**20, 4 * 2**20)


def test_frames_come_back_in_order_with_their_places(tmp_path: Path) -> None:
    end = write_segment(tmp_path, 1, PAYLOADS, first=7)
    frames, gap = read_frames(tmp_path, START, end=end, bytes_max=10**6)
    assert gap is None
    assert [(frame.boot, frame.number, frame.payload) for frame in frames] == [
        (1, 7 + number, payload) for number, payload in enumerate(PAYLOADS)
    ]
    assert frames[0].at == position(1, SEGMENT_HEADER.size)
    assert [frame.at for frame in frames[1:]] == [frame.next for frame in frames[:-1]]
    assert frames[-1].next == end


def test_a_reader_goes_on_where_it_stopped(tmp_path: Path) -> None:
    end = write_segment(tmp_path, 1, PAYLOADS)
    for frame in scan(segment_path(tmp_path, 1)):
        rest, _ = read(tmp_path, frame.next, end)
        assert rest == list(PAYLOADS[frame.number :])


def test_a_reader_takes_about_as_much_as_it_asked_for_and_at_least_one(tmp_path: Path) -> None:
    end = write_segment(tmp_path, 1, [b"x" * 100] * 10)
    assert len(read_frames(tmp_path, START, end=end, bytes_max=1)[0]) == 1
    assert len(read_frames(tmp_path, START, end=end, bytes_max=250)[0]) == 3
    assert len(read_frames(tmp_path, START, end=end, bytes_max=10**6)[0]) == 10


def test_a_reader_stops_at_the_published_end(tmp_path: Path) -> None:
    write_segment(tmp_path, 1, PAYLOADS)
    second = list(scan(segment_path(tmp_path, 1)))[1]
    assert read(tmp_path, START, second.at) == ([PAYLOADS[0]], [])
    assert read_frames(tmp_path, second.at, end=second.at, bytes_max=10) == ([], None)


def test_a_tear_at_any_byte_of_a_sealed_segment_is_no_gap(tmp_path: Path) -> None:
    write_segment(tmp_path, 1, PAYLOADS)
    end = write_segment(tmp_path, 2, [b"next"], first=9)
    whole = segment_path(tmp_path, 1).read_bytes()
    ends = [byte_of(frame.next) for frame in scan(segment_path(tmp_path, 1))]
    for cut in range(len(whole)):
        segment_path(tmp_path, 1).write_bytes(whole[:cut])
        left = [payload for payload, stop in zip(PAYLOADS, ends, strict=True) if stop <= cut]
        assert read(tmp_path, START, end) == ([*left, b"next"], []), cut


def test_a_reader_that_stood_at_the_tear_goes_on_in_the_next_segment(tmp_path: Path) -> None:
    write_segment(tmp_path, 1, PAYLOADS)
    last = list(scan(segment_path(tmp_path, 1)))[-1]
    segment_path(tmp_path, 1).write_bytes(segment_path(tmp_path, 1).read_bytes()[:-3])
    end = write_segment(tmp_path, 2, [b"next"])
    assert read(tmp_path, last.at, end) == ([b"next"], [])


@pytest.mark.parametrize("tail", [b"\0" * 5000, b"TLF1" * 50, FRAME_HEADER.pack(FRAME_MAGIC, 2**32 - 1, 0, 1, 5)])
def test_what_a_crash_left_behind_the_last_frame_is_no_gap(tmp_path: Path, tail: bytes) -> None:
    write_segment(tmp_path, 1, PAYLOADS)
    with segment_path(tmp_path, 1).open("ab") as file:
        file.write(tail)
    end = write_segment(tmp_path, 2, [b"next"])
    assert read(tmp_path, START, end) == ([*PAYLOADS, b"next"], [])


def test_a_flipped_bit_costs_one_frame_and_is_a_gap(tmp_path: Path) -> None:
    payloads = [b"one", b"two", b"three"]
    end = write_segment(tmp_path, 1, payloads)
    good = segment_path(tmp_path, 1).read_bytes()
    first, second, third = scan(segment_path(tmp_path, 1))
    for byte in range(byte_of(second.at), byte_of(third.at)):
        for bit in range(8):
            bad = bytearray(good)
            bad[byte] ^= 1 << bit
            segment_path(tmp_path, 1).write_bytes(bad)
            assert read(tmp_path, START, end) == ([b"one", b"three"], [Gap(first.next, third.at)]), (byte, bit)


def test_a_flipped_bit_in_a_sealed_segment_is_not_taken_for_its_tear(tmp_path: Path) -> None:
    write_segment(tmp_path, 1, [b"one", b"two", b"three"])
    end = write_segment(tmp_path, 2, [b"next"], first=4)
    _, second, third = scan(segment_path(tmp_path, 1))
    bad = bytearray(segment_path(tmp_path, 1).read_bytes())
    bad[byte_of(second.at) + FRAME_HEADER.size] ^= 1
    segment_path(tmp_path, 1).write_bytes(bad)
    assert read(tmp_path, START, end) == ([b"one", b"three", b"next"], [Gap(second.at, third.at)])


def test_published_frames_that_are_cut_off_are_a_gap(tmp_path: Path) -> None:
    end = write_segment(tmp_path, 1, [b"one", b"two"])
    _, second = scan(segment_path(tmp_path, 1))
    segment_path(tmp_path, 1).write_bytes(segment_path(tmp_path, 1).read_bytes()[:-1])
    assert read(tmp_path, START, end) == ([b"one"], [Gap(second.at, end)])


def test_deleted_segments_are_one_gap_up_to_the_next(tmp_path: Path) -> None:
    end = write_segment(tmp_path, 4, [b"four"])
    assert read(tmp_path, START, end) == ([b"four"], [Gap(START, position(4, 0))])


def test_a_segment_deleted_between_two_others_is_a_gap(tmp_path: Path) -> None:
    first = write_segment(tmp_path, 1, [b"one"])
    end = write_segment(tmp_path, 3, [b"three"])
    assert read(tmp_path, START, end) == ([b"one", b"three"], [Gap(position(2, 0), position(3, 0))])
    assert segment_of(first) == 1


def test_a_segment_behind_the_end_is_not_looked_at(tmp_path: Path) -> None:
    write_segment(tmp_path, 3, [b"three"])
    assert read(tmp_path, START, position(2, 7)) == ([], [Gap(START, position(2, 7))])
    assert read(tmp_path, START, position(3, 0)) == ([], [Gap(START, position(3, 0))])


def test_a_journal_without_segments_is_a_gap_up_to_its_end(tmp_path: Path) -> None:
    end = position(3, 500)
    assert read(tmp_path, START, end) == ([], [Gap(START, end)])


def test_a_frame_larger_than_any_writer_makes_is_none(tmp_path: Path) -> None:
    frame = pack_frame(1, 1, b"x" * (FRAME_BYTES_MAX + 1))
    segment_path(tmp_path, 1).write_bytes(segment_header(UUID, 1) + frame)
    assert list(scan(segment_path(tmp_path, 1))) == []


def test_boot_and_number_are_checked_too() -> None:
    frame = pack_frame(3, 9, b"x")
    assert FRAME_HEADER.unpack_from(frame)[2] != FRAME_HEADER.unpack_from(pack_frame(3, 10, b"x"))[2]
    assert FRAME_HEADER.unpack_from(frame)[2] != FRAME_HEADER.unpack_from(pack_frame(4, 9, b"x"))[2]


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**31 - 1), st.integers(0, 2**32 - 1))
def test_positions_are_ordered_like_segment_and_byte(segment: int, byte: int, later: int, further: int) -> None:
    at = position(segment, byte)
    assert (segment_of(at), byte_of(at)) == (segment, byte)
    assert 0 <= at < 2**63  # a bigint of Postgres
    assert (at < position(later, further)) == ((segment, byte) < (later, further))


def test_segments_are_listed_by_number(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        segment_path(tmp_path, number).touch()
    (tmp_path / "end").touch()
    assert segments(tmp_path) == [1, 9, 10]


@given(st.integers(1, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))
def test_the_published_end_packs_what_it_says(segment: int, byte: int, number: int, boot: int) -> None:
    packed = pack_end(End(position(segment, byte), number, boot))
    assert END.unpack(packed)[:4] == (segment, byte, number, boot)


def test_the_published_end_is_read_or_it_is_none(tmp_path: Path) -> None:
    assert read_end(tmp_path) is None
    end = End(position(3, 4096), 17, 2)
    good = pack_end(end)
    (tmp_path / "end").write_bytes(good)
    assert read_end(tmp_path) == end
    for byte in range(len(good)):
        bad = bytearray(good)
        bad[byte] ^= 0x40
        (tmp_path / "end").write_bytes(bad)
        assert read_end(tmp_path) is None
        (tmp_path / "end").write_bytes(good[:byte])
        assert read_end(tmp_path) is None


def test_a_journal_says_which_one_it_is(tmp_path: Path) -> None:
    (tmp_path / "journal.json").write_text(json.dumps({"uuid": "u", "topic": "hits", "host": "h"}))
    assert read_identity(tmp_path) == Identity("u", "hits", "h")


@pytest.mark.parametrize("text", [None, "", "{}", '{"uuid": "u"}', "[]", "1", "\ufffd"])
def test_a_folder_without_identity_is_no_journal(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "journal.json").write_text(text)
    with pytest.raises(CorruptJournal, match=r"journal\.json"):
        read_identity(tmp_path)


def test_finds_the_journals_of_every_worker(tmp_path: Path) -> None:
    for worker, topic in (("w1", "hits"), ("w0", "hits"), ("w0", "rejects"), ("w2", "hits")):
        (tmp_path / "journals" / worker / topic).mkdir(parents=True)
        if worker != "w2":
            (tmp_path / "journals" / worker / topic / "journal.json").touch()
    found = journals(tmp_path, "hits")
    assert [str(path.relative_to(tmp_path)) for path in found] == ["journals/w0/hits", "journals/w1/hits"]


def test_a_published_number_is_seen_by_others(tmp_path: Path) -> None:
    assert published(tmp_path / "read.touches") == 0
    publish(tmp_path / "read.touches", 2**40)
    assert published(tmp_path / "read.touches") == 2**40
    (tmp_path / "read.touches").write_text("torn\0")
    assert published(tmp_path / "read.touches") == 0
    assert {path.name for path in tmp_path.iterdir()} == {"read.touches"}
