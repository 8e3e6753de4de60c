"""A small world through the real handlers, the real decider and a real Postgres, and scored."""

import asyncio
import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.attribution import accuracy, sections
from benchmarks.attribution.accuracy import Findings
from benchmarks.attribution.parameters import World
from benchmarks.attribution.plan import AttributionPlan
from benchmarks.attribution.scoring import Share
from benchmarks.attribution.shapes import OWN
from benchmarks.attribution.world import build
from benchmarks.report import Report
from schemas.settings import Settings
from tests.support.postgres import new_database, with_database

HONEST = World(
    seed=11, installs=200, touches=3000, flooding_share=0.0, bot_share=0.0, spam_share=0.0, injection_share=0.0
)


@pytest.fixture(scope="module")
def findings(postgres_url: str, database_template: str) -> Findings:
    with new_database(postgres_url, database_template) as name:
        settings = Settings.read({"TOUCHLINE_DATABASE_URL": with_database(postgres_url, name)})
        return asyncio.run(accuracy.measure(settings, build(HONEST, OWN), lambda _: None))


def test_without_fraud_an_identifier_is_never_wrong(findings: Findings) -> None:
    scores = {score.method: score for score in findings.methods}

    assert scores["identifier"].precision.value == 1.0 and scores["identifier"].precision.whole > 20
    assert scores["referrer"].precision.value == 1.0 and scores["referrer"].precision.whole > 10
    assert scores["fingerprint"].precision.part > 20
    assert sum(score.errors["injected"] for score in findings.methods) == 0


def test_every_install_is_counted_once(findings: Findings) -> None:
    cells = [*findings.cells, *findings.reinstalls]

    assert sum(cell.right + cell.wrong for cell in cells) == HONEST.installs
    assert sum(score.recall.whole for score in findings.methods) == sum(one.right + one.wrong for one in findings.cells)
    assert not any(cell.decided == "undecided" for cell in cells)


def test_a_retry_is_a_duplicate_and_a_repeat_is_none(findings: Findings) -> None:
    duplicates = next(score for score in findings.fraud if score.kind == "duplicates")

    assert duplicates.found.value == 1.0 and duplicates.found.whole > 10
    assert duplicates.accused == Share(0, duplicates.accused.whole)


def test_findings_are_told_as_json_page_and_tables(findings: Findings, tmp_path: Path) -> None:
    report = Report("attribution", AttributionPlan(HONEST, results=tmp_path), sections.METHODS)

    sections.tell(report, findings)
    data, page = report.write()
    shown = StringIO()
    report.print(Console(file=shown, width=110))

    facts = json.loads(data.read_bytes())
    assert [row["method"] for row in facts["rows"]] == ["identifier", "referrer", "fingerprint", "organic"]
    assert len(facts["sections"]["Calibration of fingerprints"]) == 10
    assert facts["calibration"]["installs"] == sum(
        row["count"] for row in facts["sections"]["Calibration of fingerprints"]
    )
    assert "stated confidence" in page.read_text() and "Fraud" in shown.getvalue()
