"""nginx that answers 204 and logs through a buffer: the ceiling of a core, with nothing durable."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.plan import Cores
from benchmarks.processes import Server, free_ports, program

INSTALL = "Debian: apt install nginx-light"

# One process, so that its CPU time is one figure; everything it writes lies in the scratch folder.
CONFIG = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log {folder}/access.log combined buffer=64k flush=1s;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_timeout 75s;
  keepalive_requests 1000000000;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ return 204; }}
  }}
}}
"""


@contextmanager
def running(folder: Path, cores: Cores) -> Iterator[tuple[Server, str]]:
    """The server and where it will listen. Raises Missing."""
    nginx = program("nginx", INSTALL)
    folder.mkdir()
    port = free_ports([0])
    (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, port=port))
    argv = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    with Server(argv, folder / "nginx.log", cores=cores.server) as server:
        yield server, f"http://127.0.0.1:{port}"
