"""The files by which phones know whose links a host's are: asked for by Apple's and Google's servers and by phones."""

import orjson
from aiohttp import web

from ingest import answer, association
from ingest.hits import split_target
from ingest.links import Links


class WellKnown:
    """Answers from the apps in memory: they are as fresh as the links."""

    def __init__(self, links: Links) -> None:
        self._links = links

    async def apple(self, http: web.Request) -> web.Response:
        """GET /.well-known/apple-app-site-association, or without the folder"""
        return _file(association.apple(self._links.apps(), _host(http)))

    async def android(self, http: web.Request) -> web.Response:
        """GET /.well-known/assetlinks.json"""
        return _file(association.android(self._links.apps(), _host(http)))


def _host(http: web.Request) -> str:
    return split_target(http.raw_path, http.headers.get("Host", ""))[0]


def _file(content: object) -> web.Response:
    if content is None:
        return answer.problem(404, "no_association", "The links of this host open no app.").response()
    return web.Response(body=orjson.dumps(content), content_type="application/json", headers=answer.EVERYWHERE)
