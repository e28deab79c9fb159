"""nginx as the app and as a reverse proxy: one worker, no access log, connections kept on both sides."""

from __future__ import annotations

import shutil
from pathlib import Path

# Debian has it where only root looks.
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/local/bin")

_CONFIG = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/{name}.pid;
error_log {folder}/{name}.log crit;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/{name}-client;
    proxy_temp_path {folder}/{name}-proxy;
    fastcgi_temp_path {folder}/{name}-fastcgi;
    uwsgi_temp_path {folder}/{name}-uwsgi;
    scgi_temp_path {folder}/{name}-scgi;
    keepalive_requests 1000000000;
    {upstream}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ {location} }}
    }}
}}
"""
_APP = r"""default_type text/plain; return 200 "Hello World\n";"""
_UPSTREAM = "upstream next {{ server 127.0.0.1:{port}; keepalive 256; keepalive_requests 1000000000; }}"
# What every proxy here does: the host goes on, and the next hop is told of the caller.
_PROXY = (
    'proxy_pass http://next; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;'
    " proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
)


def app(folder: Path, port: int) -> list[str]:
    """The command of one that answers everything with 12 bytes."""
    return _command(folder, "app", port, "", _APP)


def reverse_proxy(folder: Path, name: str, port: int, next_port: int) -> list[str]:
    """The command of one that passes everything on to a port of this machine."""
    return _command(folder, name, port, _UPSTREAM.format(port=next_port), _PROXY)


def _command(folder: Path, name: str, port: int, upstream: str, location: str) -> list[str]:
    assert NGINX is not None
    config = folder / f"{name}.conf"
    config.write_text(_CONFIG.format(folder=folder, name=name, port=port, upstream=upstream, location=location))
    return [NGINX, "-e", f"{folder}/{name}.log", "-c", str(config)]
