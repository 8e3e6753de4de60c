"""`python -m schemas.publish` writes the JSON Schemas of the log's records to `schemas/json/`.

Others read them without our code; a test fails while they are not those of `schemas.events`.
"""

from pathlib import Path

import msgspec

from schemas.events import ApplePostback, Event, Hit, Install, Reject, Tally, Visit

FOLDER = Path(__file__).parent / "json"
RECORDS: dict[str, type[msgspec.Struct]] = {
    "hit": Hit,
    "reject": Reject,
    "install": Install,
    "event": Event,
    "visit": Visit,
    "apple_postback": ApplePostback,
    "tally": Tally,
}
"""File name → the record it describes."""


def document(name: str) -> bytes:
    """The JSON Schema of one record, as its file holds it."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:touchline:schema:{name}"}
    schema = head | msgspec.json.schema(RECORDS[name])
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"


def publish(folder: Path = FOLDER) -> None:
    """Write every schema."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in RECORDS:
        (folder / f"{name}.json").write_bytes(document(name))


if __name__ == "__main__":
    publish()
