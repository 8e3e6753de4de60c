"""`touchline …` with another fdatasync: run as `python slow_disk.py CONTROL touchline edge`.

The file CONTROL holds `ok`, `slow SECONDS`, or `fail`. Each call that returned is counted in CONTROL.returned.
"""

import errno
import os
import runpy
import sys
import time
from pathlib import Path
from typing import Any

control = Path(sys.argv[1])
returned = control.with_suffix(".returned")
real = os.fdatasync


def fdatasync(descriptor: Any, /) -> None:
    """The real one, late or never."""
    words = control.read_text().split()
    if words[0] == "slow":
        time.sleep(float(words[1]))
    if words[0] == "fail":
        raise OSError(errno.EIO, "injected")
    real(descriptor)
    with returned.open("a") as file:
        file.write(f"{time.time()}\n")


os.fdatasync = fdatasync  # type: ignore[assignment]
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
