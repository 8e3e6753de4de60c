"""Every metric, declared once with its meaning; an undeclared one cannot be made.

No metric has a link label: a million links would be a million series.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """Declaration of one metric family in Prometheus' terms."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


HITS = Metric("touchline_hits", "counter", "Touches taken, by kind and mode.", ("kind", "mode"))
ANSWERS = Metric("touchline_answers", "counter", "Answers of the edge, by status and reason.", ("status", "reason"))
CONVERSIONS = Metric("touchline_conversions", "counter", "Installs, events and visits taken.", ("kind",))
SKAN_RECEIVED = Metric("touchline_skan_received", "counter", "Bodies that came to Apple's addresses.", ("framework",))
SKAN_VERDICTS = Metric(
    "touchline_skan_postbacks", "counter", "Apple's postbacks by what was found of them.", ("framework", "verdict")
)
UNRECORDED = Metric("touchline_unrecorded", "gauge", "Redirects answered without a durable hit.")
REFUSED = Metric("touchline_refused", "gauge", "503 answers: the record could not be made durable.")
DURABLE_SECONDS = Metric(
    "touchline_durable_seconds",
    "histogram",
    "From the end of a batch to its release.",
    ("topic",),
    (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
BATCH_RECORDS = Metric(
    "touchline_batch_records", "histogram", "Records in a batch.", ("topic",), (1, 3, 10, 30, 100, 300, 1000)
)
JOURNAL_BYTES = Metric("touchline_journal_bytes", "gauge", "Bytes of the journals on disk.", ("topic",))
UNSHIPPED = Metric("touchline_unshipped_batches", "gauge", "Batches that Kafka has not acknowledged.", ("topic",))
KAFKA_AWAY = Metric("touchline_kafka_away", "gauge", "1 while Kafka cannot be reached.", ("topic",))
LINKS = Metric("touchline_links", "gauge", "Tracking links in the snapshot.")
LINKS_CHANGE = Metric("touchline_links_change", "gauge", "Change number of the links' snapshot.")

ROWS = Metric("touchline_rows", "counter", "Rows stored in Postgres.", ("consumer",))
REPEATED = Metric("touchline_repeated", "counter", "Records that stood in Postgres already.", ("consumer",))
REJECTED = Metric("touchline_rejected", "counter", "Records kept as rejects.", ("consumer", "reason"))
RACES_LOST = Metric("touchline_races_lost", "counter", "Batches that another member stored first.", ("consumer",))
HOLES = Metric("touchline_holes", "counter", "Holes found in the log: an alarm.", ("consumer",))
DECISIONS = Metric("touchline_decisions", "counter", "Conversions decided, by method.", ("method",))
WAITING = Metric("touchline_waiting_conversions", "gauge", "Conversions that wait for their barrier.")
POSTBACKS = Metric(
    "touchline_postbacks",
    "counter",
    "Attempts at postbacks, by what came of them: sent, failed, dead, refused.",
    ("partner", "outcome"),
)
POSTBACKS_WAITING = Metric(
    "touchline_postbacks_waiting", "gauge", "Postbacks that are due, a lane counted up to 10 000.", ("partner",)
)
POSTBACKS_DOWN = Metric("touchline_postbacks_down", "gauge", "1 while a partner is only probed.", ("partner",))
POSTBACK_DELAY_SECONDS = Metric(
    "touchline_postback_delay_seconds",
    "histogram",
    "From when a postback was due first to its delivery.",
    (),
    (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0),
)
OUTCOMES_SET_ASIDE = Metric(
    "touchline_outcomes_set_aside", "gauge", "Conversions that could not be priced and told to partners: an alarm."
)
COUNTRY_DATABASE = Metric(
    "touchline_country_database",
    "gauge",
    "1 for the country database in use, by its name and date.",
    ("source", "date"),
)
API_ANSWERS = Metric("touchline_api_answers", "counter", "Answers of the management API.", ("method", "status"))

METRICS: tuple[Metric, ...] = tuple(value for value in globals().values() if isinstance(value, Metric))
