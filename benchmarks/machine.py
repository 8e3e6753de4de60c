"""What figures depend on: the machine, its disk, the commit; nothing that names the host."""

import os
import platform
import secrets
import statistics
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.processes import PROJECT

DISK_TRIES = 40
DISK_BLOCK_BYTES = 16_384
PACKAGES = ("aiohttp", "uvloop", "aiokafka", "asyncpg", "orjson", "msgspec")


def packages() -> dict[str, str]:
    """Versions of the libraries that carry the load."""
    return {name: version(name) for name in PACKAGES}


def machine_facts() -> dict[str, Any]:
    """Processor, cores we may use, memory, kernel, and how busy it was before."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {
        "cpu": model or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def commit() -> str | None:
    """The commit under test, `+` when files differ from it; None without git."""
    try:
        asked = ("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "--untracked-files=no")
        said = [
            subprocess.run(["git", *words], cwd=PROJECT, capture_output=True, text=True, timeout=10, check=True).stdout
            for words in asked
        ]
    except (OSError, subprocess.SubprocessError):
        return None
    return said[0].strip() + ("+" if said[1].strip() else "")


def file_system(folder: Path) -> str:
    """Its kind: a memory file system syncs for nothing."""
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, its_kind = line.split()[:3]
        if folder.resolve().is_relative_to(place) and len(place) >= len(best):
            best, kind = place, its_kind
    return kind


def fdatasync_ms(folder: Path) -> float:
    """Median of some appended blocks."""
    times = []
    descriptor = os.open(folder / "sync", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for _ in range(DISK_TRIES):
            os.write(descriptor, secrets.token_bytes(DISK_BLOCK_BYTES))
            before = time.perf_counter()
            os.fdatasync(descriptor)
            times.append(time.perf_counter() - before)
    finally:
        os.close(descriptor)
    return round(statistics.median(times) * 1000, 3)
