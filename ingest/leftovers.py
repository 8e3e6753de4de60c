"""Journals of workers that are no more: there were more workers once, and what they wrote must still arrive.

A leftover is opened as its worker would open it, only without hits. Its end is recovered and
published, which the consumers read up to; with Kafka its shipper runs until everything is
acknowledged; and segments that everybody has read are let go in time.
"""

import asyncio
import fcntl
import logging
from pathlib import Path
from typing import Literal

from ingest.recorder import Recorder
from process.life import sleep_unless
from process.metrics import Meters
from schemas import journal as format
from schemas.errors import TouchlineError
from schemas.settings import Settings
from schemas.topics import TOPICS

log = logging.getLogger(__name__)

EVERY_S = 3600.0
RETRY_S = 1.0
LOOK_S = 0.1

State = Literal["finished", "again later", "still runs"]


async def ship_leftovers(settings: Settings, workers: int, stop: asyncio.Event) -> None:
    """Take care of the journals of workers from number `workers` on, one worker after the other, until `stop`."""
    states: dict[int, State] = {}
    while not stop.is_set():
        for worker in leftovers(settings.data, workers):
            if states.get(worker) != "finished" and not stop.is_set():
                states[worker] = await _take_care(settings, worker, stop)
        await sleep_unless(stop, RETRY_S if "still runs" in states.values() else EVERY_S)


def leftovers(data: Path, workers: int) -> list[int]:
    """Numbers of former workers whose journals hold segments."""
    folders = {path.parent.parent.name for path in data.glob("journals/w*/*/*.seg")}
    numbers = sorted(int(name[1:]) for name in folders if name[1:].isdecimal())
    return [number for number in numbers if number >= workers]


async def _take_care(settings: Settings, worker: int, stop: asyncio.Event) -> State:
    folder = settings.data / "journals" / f"w{worker}"
    if any(_is_locked(folder / topic / "lock") for topic in TOPICS):
        return "still runs"
    recorder = Recorder(settings, worker, Meters())
    try:
        recorder.open()
    except (TouchlineError, OSError) as error:
        log.error("the journals of former worker %d cannot be opened: %s", worker, error)
        return "again later"
    while _unshipped(recorder) and not await sleep_unless(stop, LOOK_S):
        pass
    unshipped = _unshipped(recorder)
    await recorder.close()
    if recorder.shippers and not unshipped:
        log.info("former worker %d: Kafka has all of its journals", worker)
    # the last segment of a journal stays, older ones until nobody may want to read them again
    more = any(len(format.segments(folder / topic)) > 1 for topic in TOPICS)
    return "again later" if unshipped or more else "finished"


def _unshipped(recorder: Recorder) -> bool:
    return any(shipper.watermark < recorder.journals[topic].end for topic, shipper in recorder.shippers.items())


def _is_locked(path: Path) -> bool:
    """To open a journal is to wait for its lock, and the loop with it: who still runs is left alone."""
    try:
        with path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
