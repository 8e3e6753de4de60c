"""An edge in trouble: the first request gets no answer, the second a 503, the rest what the real edge answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

PASSED_ON = ("Authorization", "Content-Type")


@contextmanager
def in_front_of(url: str) -> Iterator[tuple[str, list[str]]]:
    """The address of the troubled edge, and what it did: `dropped`, `503`, then the real statuses."""
    done: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if not done:
                done.append("dropped")
                self.close_connection = True
            elif len(done) == 1:
                done.append("503")
                self._say(503, {"Retry-After": "1"}, b"")
            else:
                self._pass_on(body)

        do_GET = do_POST = _answer

        def _pass_on(self, body: bytes) -> None:
            connection = HTTPConnection(urlsplit(url).netloc, timeout=10)
            headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            done.append(str(answer.status))
            kept = ("Content-Type", "X-Touchline-Reason")
            self._say(
                answer.status, {name: answer.headers[name] for name in kept if name in answer.headers}, answer.read()
            )
            connection.close()

        def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", done
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
