"""Which tests run beside each other, for `-n 2 --no-loadscope-reorder`.

One process of tests takes all that start servers, the others take the rest file by file, and what is left in the end.
"""

import pytest
from xdist.scheduler import LoadScopeScheduling

SERVERS = ("faults/", "e2e/", "deploy/", "contracts/", "benchmarks/test_bench.py")
"""Tests that start many processes, brokers among them, and break or load them: two at once would starve each other."""
LIGHT = ("faults/test_attribution_histories.py", "deploy/test_postgres.py", "deploy/test_children.py")
"""Those of them that start a process or two."""


def share(nodeid: str) -> str:
    """Tests of one share run in one process, in their order."""
    file = nodeid.partition("::")[0]
    name = file.removeprefix("tests/")
    return "servers" if name.startswith(SERVERS) and not name.startswith(LIGHT) else file


class Shares(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out shares, the first ones first."""

    def _split_scope(self, nodeid: str) -> str:
        return share(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Shares:
    """In place of `--dist`."""
    return Shares(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The servers' tests begin at once: nothing takes longer."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: share(item.nodeid) != "servers")
