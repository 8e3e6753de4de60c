import asyncio
from pathlib import Path

import pytest

from consumers.app import run_consumer
from schemas.errors import ConfigError
from schemas.settings import Settings


async def test_a_wrong_line_of_the_data_centres_ends_the_start(tmp_path: Path) -> None:
    file = tmp_path / "own.txt"
    file.write_text("82.129.80.0/24\n82.129.81.0/240\n")
    settings = Settings.read({"TOUCHLINE_DATA": str(tmp_path), "TOUCHLINE_DATA_CENTRES": str(file)})
    stop = asyncio.Event()
    stop.set()
    with pytest.raises(ConfigError, match=r"^TOUCHLINE_DATA_CENTRES='.*own\.txt, line 2: '82\.129\.81\.0/240' is"):
        await run_consumer("touches", settings, stop)
