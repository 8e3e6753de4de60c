"""Findings as the tables and the chart of a report."""

from typing import Any

from benchmarks import svg
from benchmarks.attribution.accuracy import Findings
from benchmarks.attribution.calibration import area_under_curve, bins, calibration_error
from benchmarks.attribution.scoring import Cell, MethodScore, Share
from benchmarks.attribution.verdicts import FraudScore
from benchmarks.report import Column, Report, Section

PERCENT = "{:.2%}"
METHODS = (
    Column("method", "method"),
    Column("decided", "decided", "{:,}"),
    Column("precision", "precision", PERCENT),
    Column("precision_95", "95 %"),
    Column("due", "due", "{:,}"),
    Column("recall", "recall", PERCENT),
    Column("recall_95", "95 %"),
    Column("strict_recall", "by it", PERCENT),
)
ERRORS = (
    Column("method", "method"),
    Column("wrong", "wrong", "{:,}"),
    Column("injected", "the injected", "{:,}"),
    Column("own_device", "of the same device", "{:,}"),
    Column("another_device", "of another device", "{:,}"),
    Column("organic", "install is organic", "{:,}"),
)
CELLS = (
    Column("due", "due"),
    Column("decided", "decided"),
    Column("right", "right", "{:,}"),
    Column("wrong", "wrong", "{:,}"),
)
BINS = (
    Column("stated", "stated"),
    Column("count", "installs", "{:,}"),
    Column("mean_stated", "mean stated", "{:.3f}"),
    Column("true", "true", "{:.3f}"),
    Column("true_95", "95 %"),
)
FRAUD = (
    Column("kind", "fraud"),
    Column("touches", "touches", "{:,}"),
    Column("found", "found", "{:,}"),
    Column("recall", "recall", PERCENT),
    Column("recall_95", "95 %"),
    Column("honest", "honest", "{:,}"),
    Column("accused", "accused", "{:,}"),
    Column("accused_share", "share", "{:.4%}"),
)
SPEED = (
    Column("millions", "millions", "{:g}"),
    Column("installs_per_s", "installs/s", "{:,.0f}"),
    Column("install_us", "µs each", "{:,.0f}"),
    Column("ratio", "ratio", "{:.2f}"),
    Column("median_us", "median", "{:,.0f}"),
    Column("decider_us", "decider", "{:,.0f}"),
    Column("postgres_us", "Postgres", "{:,.0f}"),
    Column("candidates", "found", "{:.1f}"),
    Column("rows_gb", "GB", "{:.2f}"),
    Column("indexes_gb", "index", "{:.2f}"),
    Column("loading_s", "fill s", "{:,.0f}"),
)
METHODS_REMARK = (
    "Right: names the touch that is due, or a retry or repeat of it. by it: recall by this very method. 95 %: Wilson's"
    " interval. Reinstalls stand apart."
)


def tell(report: Report, found: Findings) -> None:
    """Everything that accuracy has found."""
    report.rows = [_method(one) for one in found.methods]
    report.sections.append(
        Section(
            "Wrong touches, by whose they are", ERRORS, [_errors(one) for one in found.methods if one.method != "none"]
        )
    )
    report.sections.append(Section("What was due, and what was decided", CELLS, [_cell(one) for one in found.cells]))
    report.sections.append(Section("Reinstalls", CELLS, [_cell(one) for one in found.reinstalls]))
    calibrated = bins(found.said)
    error, area = calibration_error(calibrated), area_under_curve(found.said)
    rows: list[dict[str, Any]] = [
        {
            "stated": f"{one.low:.1f} to {one.high:.1f}",
            "count": one.installs,
            "mean_stated": one.stated,
            "true": one.true,
            "true_95": _interval(Share(round((one.true or 0) * one.installs), one.installs)),
        }
        for one in calibrated
    ]
    figures = f"ECE {_decimals(error)}, AUC {_decimals(area)}, {len(found.said):,} installs"
    report.sections.append(Section("Calibration of fingerprints", BINS, rows, figures))
    report.further["calibration"] = {"error": error, "area_under_curve": area, "installs": len(found.said)}
    points = [
        (one.stated, one.true, one.installs) for one in calibrated if one.stated is not None and one.true is not None
    ]
    report.charts.append(svg.shares(f"Calibration: {figures}", "stated confidence", "share true", points))
    report.sections.append(Section("Fraud", FRAUD, [_fraud(one) for one in found.fraud]))
    report.remarks.append(METHODS_REMARK)
    report.remarks += found.missing
    if found.unseen_injections:
        report.remarks.append(f"{found.unseen_injections:,} injected touches were no candidates of their installs.")


def tell_speed(report: Report, rows: list[dict[str, Any]], circumstances: dict[str, Any]) -> None:
    """Installs a second beside so many touches."""
    report.settings |= circumstances
    waiting = rows[0]["installs"]
    remark = (
        f"{waiting:,} installs wait with passed barriers; one process decides them, after half as many before them, of"
        " which no time is taken. µs each: an install's wall time;"
        f" ratio: to that beside {circumstances['reference_millions']:g} million; median: of the batches decided at"
        " once; decider, Postgres: their CPU µs an install. found: candidates of an install. GB: of rows, of indexes."
        " Warm: the touches of the last three days, where installs of the last two look first, have just been read, as"
        f" they would have been inserted; shared buffers of {circumstances['shared_buffers']}. Touches beyond the first"
        f" {rows[0]['millions']:g} million are copies of their rows with other keys: benchmarks/README.md."
    )
    report.sections.append(Section("Speed", SPEED, rows, remark))
    bars = [(f"{row['millions']:g} million touches", row["installs_per_s"]) for row in rows]
    report.charts.append(svg.bars("Installs decided a second", bars))


def _method(one: MethodScore) -> dict[str, Any]:
    return {
        "method": "organic" if one.method == "none" else one.method,
        "decided": one.precision.whole,
        "precision": one.precision.value,
        "precision_95": _interval(one.precision),
        "due": one.recall.whole,
        "recall": one.recall.value,
        "recall_95": _interval(one.recall),
        "strict_recall": one.strict.value,
    }


def _errors(one: MethodScore) -> dict[str, Any]:
    return {
        "method": one.method,
        "wrong": one.errors.total(),
        "injected": one.errors["injected"],
        "own_device": one.errors["own device"],
        "another_device": one.errors["another device"],
        "organic": one.wrong_organic,
    }


def _cell(one: Cell) -> dict[str, Any]:
    return one._asdict()


def _fraud(one: FraudScore) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "touches": one.found.whole,
        "found": one.found.part,
        "recall": one.found.value,
        "recall_95": _interval(one.found),
        "honest": one.accused.whole,
        "accused": one.accused.part,
        "accused_share": one.accused.value,
    }


def _interval(share: Share) -> str | None:
    found = share.interval()
    return f"{found[0]:.1%}–{found[1]:.1%}" if found else None


def _decimals(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"
