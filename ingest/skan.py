"""Where Apple's devices report installs to: taken whole, verified by whoever reads the log.

Apple's "Receiving ad attributions and postbacks": anything but a 200 makes the device send again, nine times in as many
days. So a body that will not verify gets its 200 too, once it is stored.
"""

import time

from aiohttp import web

from ingest import answer
from ingest.hits import Hits
from ingest.recorder import Recorder
from ingest.short_bodies import read_short
from process.metrics import Meters
from schemas import metrics
from schemas.codec import encode
from schemas.events import ApplePostback, Framework
from schemas.ids import new_id
from schemas.topics import SKAN

POSTBACK_BYTES_MAX = 16_384
"""Some 20 times what devices send."""


class SkanHandler:
    """Takes postbacks durably, as an ad network's and as an advertiser's server."""

    def __init__(self, recorder: Recorder, hits: Hits, meters: Meters) -> None:
        self._recorder = recorder
        self._hits = hits
        self._received = meters.counter(metrics.SKAN_RECEIVED)

    async def skadnetwork(self, http: web.Request) -> web.Response:
        """POST /.well-known/skadnetwork/report-attribution/"""
        return self._counted(await self._take(http, "skadnetwork"))

    async def adattributionkit(self, http: web.Request) -> web.Response:
        """POST /.well-known/appattribution/report-attribution/"""
        return self._counted(await self._take(http, "adattributionkit"))

    def _counted(self, response: web.Response) -> web.Response:
        self._hits.count(response.status, response.headers.get("X-Touchline-Reason", ""))
        return response

    async def _take(self, http: web.Request, framework: Framework) -> web.Response:
        try:
            body = await read_short(http, POSTBACK_BYTES_MAX)
        except web.RequestPayloadError as error:
            return answer.problem(400, "bad_body", f"The body cannot be read: {error}").response()
        if body is None:
            return _too_large()
        now_us = time.time_ns() // 1000
        postback = ApplePostback(v=1, id=new_id(now_us), framework=framework, body=body)
        batch = self._recorder.batcher(SKAN).add(encode(postback), framework, now_us)
        self._received.labels(framework).inc()
        if not await self._recorder.durable_for_machine(batch):
            return answer.not_durable().response()
        return web.Response(headers=answer.EVERYWHERE)


def _too_large() -> web.Response:
    response = answer.problem(413, "body_too_large", f"At most {POSTBACK_BYTES_MAX} bytes a postback.").response()
    response.force_close()
    return response
