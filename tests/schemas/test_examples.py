from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator, ValidationError

from schemas import publish
from schemas.codec import decode_apple, decode_conversion, decode_hit, decode_reject, decode_tally, encode
from schemas.events import ApplePostback, Conversion, Hit, Reject, Tally

Decode = Callable[[bytes], Hit | Reject | Conversion | ApplePostback | Tally]

EXAMPLES = Path(publish.__file__).parent / "examples"
# example → (schema, decoder)
RECORDS: dict[str, tuple[str, Decode]] = {
    "click": ("hit", decode_hit),
    "impression": ("hit", decode_hit),
    "s2s": ("hit", decode_hit),
    "reject": ("reject", decode_reject),
    "install": ("install", decode_conversion),
    "event": ("event", decode_conversion),
    "visit": ("visit", decode_conversion),
    "apple_postback": ("apple_postback", decode_apple),
    "tally": ("tally", decode_tally),
}


def text(name: str) -> bytes:
    return (EXAMPLES / f"{name}.json").read_bytes()


def schema(name: str) -> Draft202012Validator:
    return Draft202012Validator(msgspec.json.decode((publish.FOLDER / f"{name}.json").read_bytes()))


def test_every_example_and_every_schema_is_listed() -> None:
    assert {path.stem for path in EXAMPLES.iterdir()} == set(RECORDS)
    assert {path.stem for path in publish.FOLDER.iterdir()} == set(publish.RECORDS)
    assert {name for name, _ in RECORDS.values()} == set(publish.RECORDS)


@pytest.mark.parametrize("name", sorted(publish.RECORDS))
def test_the_published_schema_is_that_of_the_code(name: str) -> None:
    assert (publish.FOLDER / f"{name}.json").read_bytes() == publish.document(name), "python -m schemas.publish"


def test_publishing_writes_every_schema(tmp_path: Path) -> None:
    publish.publish(tmp_path / "json")
    written = {path.name: path.read_bytes() for path in (tmp_path / "json").iterdir()}
    assert written == {path.name: path.read_bytes() for path in publish.FOLDER.iterdir()}


@pytest.mark.parametrize("name", sorted(publish.RECORDS))
def test_every_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(schema(name).schema)


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_an_example_decodes_and_encodes_to_itself(name: str) -> None:
    _, decode = RECORDS[name]
    line = msgspec.json.format(text(name), indent=-1)
    assert encode(decode(line)) == line


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_an_example_validates_against_its_schema_and_only_whole(name: str) -> None:
    validator = schema(RECORDS[name][0])
    record = msgspec.json.decode(text(name))
    validator.validate(record)
    for field in ("v", "id" if "id" in record else "journal"):
        with pytest.raises(ValidationError):
            validator.validate({key: value for key, value in record.items() if key != field})
    with pytest.raises(ValidationError):
        validator.validate(record | {"v": 2})


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_the_examples_of_a_record_show_every_field(name: str) -> None:
    of, _ = RECORDS[name]
    shown = {field for one, (its, _) in RECORDS.items() if its == of for field in msgspec.json.decode(text(one))}
    kind = {"kind"} if of in ("install", "event", "visit") else set()
    assert shown == set(publish.RECORDS[of].__struct_encode_fields__) | kind
