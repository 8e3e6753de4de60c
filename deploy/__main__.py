"""The `touchline` command (placeholder while the house is built)."""


def main() -> None:
    raise SystemExit("touchline: not built yet")
