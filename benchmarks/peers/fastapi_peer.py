"""FastAPI on uvicorn that sends each hit to Kafka and waits for it: how most people would begin."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import orjson
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI, Query, Request, Response

ACKS = "all"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One producer for the life of the process."""
    producer = AIOKafkaProducer(bootstrap_servers=os.environ["PEER_KAFKA"], acks=ACKS, compression_type="zstd")
    await producer.start()
    app.state.producer = producer
    try:
        yield
    finally:
        await producer.stop()


async def serve(
    link: str,
    request: Request,
    device_ip: Annotated[str, Query()],
    device_ua: Annotated[str, Query()],
    click_timestamp: Annotated[int, Query()],
) -> Response:
    """The S2S ping, checked by FastAPI, acknowledged by the broker."""
    hit = {
        "at_us": time.time_ns() // 1000,
        "link": link,
        "ip": device_ip,
        "ua": device_ua,
        "touched_at": click_timestamp,
        "query": request.url.query,
    }
    await request.app.state.producer.send_and_wait(os.environ["PEER_TOPIC"], orjson.dumps(hit))
    return Response(status_code=204)


app = FastAPI(lifespan=lifespan)
app.add_api_route("/serve/{link}", serve, methods=["GET"])
