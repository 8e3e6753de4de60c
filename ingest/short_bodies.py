"""Bodies of requests that anybody may send: read no further than they may be long."""

from aiohttp import web


async def read_short(http: web.Request, bytes_max: int) -> bytes | None:
    """The body; None when it is longer. Raises web.RequestPayloadError for one that cannot be read."""
    if (http.content_length or 0) > bytes_max:
        return None
    body = b""
    async for part in http.content.iter_chunked(bytes_max):
        body += part
        if len(body) > bytes_max:
            return None
    return body
