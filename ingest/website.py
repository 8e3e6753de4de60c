"""What websites need of the edge besides their records: the script, and leave for pages of other origins."""

from hashlib import sha256
from pathlib import Path

from aiohttp import web

from ingest import answer
from ingest.links import Links
from schemas.links import AppKey

SCRIPT = Path(__file__).with_name("touchline.js")
SCRIPT_SECONDS = 3600
PREFLIGHT_SECONDS = 86_400

NOT_AN_ORIGIN = "The pages of this origin may not report: `touchline app set APP --origin` names those that may."


class Website:
    """The edge's side of touchline.js."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._script = SCRIPT.read_bytes()
        self._tag = f'"{sha256(self._script).hexdigest()[:16]}"'

    async def script(self, http: web.Request) -> web.Response:
        """GET /touchline.js"""
        headers = {
            "Cache-Control": f"public, max-age={SCRIPT_SECONDS}",
            "ETag": self._tag,
            "Server": answer.EVERYWHERE["Server"],
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        if http.headers.get("If-None-Match") == self._tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=self._script, content_type="text/javascript", charset="utf-8", headers=headers)

    async def preflight(self, http: web.Request) -> web.Response:
        """OPTIONS of what a page may post: whose key it will come with is not known yet."""
        if http.headers.get("Origin", "") not in self._links.origins:
            return answer.problem(403, "origin_not_allowed", NOT_AN_ORIGIN).response()
        headers = {
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Headers": "Authorization, Content-Type",
            "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
        }
        return web.Response(status=204, headers=answer.EVERYWHERE | headers | self.leave(http))

    def leave(self, http: web.Request) -> dict[str, str]:
        """The headers by which a page of an allowed origin may read an answer."""
        origin = http.headers.get("Origin", "")
        if origin not in self._links.origins:
            return {}
        return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}

    def may_report(self, http: web.Request, key: AppKey) -> bool:
        """Whether the page that asks with a web key is one of the app's."""
        app = self._links.app(key.app)
        return app is not None and http.headers.get("Origin", "") in app.origins
