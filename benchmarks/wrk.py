"""wrk: closed-loop load from a generated Lua script, for peak throughput."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.errors import BenchError
from benchmarks.plan import Cores
from benchmarks.processes import launched, program
from benchmarks.traffic import Traffic

INSTALL = "Debian: apt install wrk"
THREADS_MAX = 8
SLACK_S = 30

# Each thread counts in a range of its own, so that no two requests of a run are alike.
SCRIPT = """\
local templates = {%s}
local threads = 0
function setup(thread)
  thread:set("first", threads * 10000000000)
  threads = threads + 1
end
function init(args)
  n, count = first, #templates
end
function request()
  n = n + 1
  return string.format(templates[n %% count + 1], n, n)
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('FACTS {"us": %%d, "requests": %%d, "connect": %%d, "read": %%d, "write": %%d, ' ..
    '"timeout": %%d, "status": %%d, "p50_us": %%d, "p99_us": %%d}\\n', summary.duration, summary.requests,
    e.connect, e.read, e.write, e.timeout, e.status, latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What a load found: answers, answers with 4xx or 5xx, everything else that went wrong, times."""

    seconds: float
    requests: int
    bad_statuses: int
    broken: int
    p50_ms: float
    p99_ms: float
    void: bool = False
    """The generator itself could not keep up: its times say nothing about the server."""


def installed() -> str:
    """Where wrk is. Raises Missing."""
    return program("wrk", INSTALL)


def run(url: str, traffic: Traffic, *, seconds: int, connections: int, folder: Path, cores: Cores) -> Load:
    """Load `url`. Raises Missing without wrk."""
    script = folder / "requests.lua"
    # of ASCII text JSON's strings are Lua's
    script.write_text(SCRIPT % ",\n".join(json.dumps(template) for template in traffic.templates))
    threads = min(len(cores.load), connections, THREADS_MAX)
    where = f"http://{urlsplit(url).netloc}"
    argv = [installed(), "--latency", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s"]
    done = subprocess.run(
        launched([*argv, str(script), where], cores.load),
        capture_output=True, text=True, timeout=seconds + SLACK_S, check=False,
    )  # fmt: skip
    line = next((line for line in done.stdout.splitlines() if line.startswith("FACTS ")), None)
    if line is None:
        raise BenchError(f"wrk failed: {done.stderr or done.stdout}")
    facts = json.loads(line.removeprefix("FACTS "))
    return Load(
        seconds=facts["us"] / 1e6,
        requests=facts["requests"],
        bad_statuses=facts["status"],
        broken=facts["connect"] + facts["read"] + facts["write"] + facts["timeout"],
        p50_ms=facts["p50_us"] / 1000,
        p99_ms=facts["p99_us"] / 1000,
    )
