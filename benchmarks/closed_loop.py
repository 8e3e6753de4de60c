"""The most a server takes: by wrk, else by our own closed loop, which costs more and so finds less."""

from pathlib import Path

from benchmarks import generator, wrk
from benchmarks.errors import BenchError, Missing
from benchmarks.plan import Cores
from benchmarks.report import Report
from benchmarks.traffic import Traffic
from benchmarks.wrk import Load


def run(
    url: str, requests: Traffic, *, seconds: int, connections: int, folder: Path, cores: Cores, report: Report
) -> Load:
    """Load `url`; the report says by what. Raises BenchError when nothing was answered well."""
    try:
        load = wrk.run(url, requests, seconds=seconds, connections=connections, folder=folder, cores=cores)
        report.settings["closed_loop_by"] = "wrk"
    except Missing as missing:
        report.skip("closed loop by wrk", f"{missing}; our own closed loop instead")
        report.settings["closed_loop_by"] = "own"
        load = generator.run(url, requests, rate=0, seconds=seconds, connections=connections, cores=cores).load()
    if load.requests == load.bad_statuses:
        raise BenchError(f"{url} answers no request with {sorted(requests.expects)}")
    return load
