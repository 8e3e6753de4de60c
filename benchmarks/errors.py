"""Why a benchmark, or one row of it, cannot run."""


class BenchError(Exception):
    """The benchmark cannot run; the message says why and what to do."""


class Missing(Exception):
    """One row cannot run here; the message says what is missing and how to get it."""
