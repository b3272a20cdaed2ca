"""Real proxies in front of an app: nginx, with and without a cache, and Varnish, with their defaults, on free ports."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.servers import Server, free_port, running

__all__ = ["nginx", "varnish"]

_NGINX = """
{user}
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {cache}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{app};
      proxy_set_header Host $http_host;
      {cached}
    }}
    location /protected/ {{
      internal;
      root {folder};
    }}
  }}
}}
"""
_CACHE = "proxy_cache_path {folder}/cache keys_zone=pages:1m;"
_CACHED = """
      proxy_cache pages;
      proxy_cache_valid 200 10m;
      add_header X-Cache $upstream_cache_status;
"""


@contextlib.contextmanager
def nginx(app: Server, folder: Path, *, caches: bool = False) -> Iterator[Server]:
    """nginx with Debian's defaults in front of an app.

    Args:
        app: behind it.
        folder: for its files.
        caches: whether it keeps answers that say nothing about caching for ten minutes.
    """
    program, port = _program("nginx", "nginx"), free_port()
    text = _NGINX.format(
        user="user root;" if os.geteuid() == 0 else "",  # else its workers may not read our folders
        folder=folder,
        port=port,
        app=app.port,
        cache=_CACHE.format(folder=folder) if caches else "",
        cached=_CACHED if caches else "",
    )
    (folder / "nginx.conf").write_text(text, "utf-8")
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    with running("nginx", command, port, folder, os.environ) as server:
        yield server


@contextlib.contextmanager
def varnish(app: Server, folder: Path) -> Iterator[Server]:
    """Varnish with its built-in rules in front of an app: it keeps what says nothing for two minutes."""
    program, port = _program("varnishd", "varnish"), free_port()
    command = [
        *(program, "-F", "-n", str(folder / "varnish"), "-j", "none"),
        *("-a", f"127.0.0.1:{port}", "-b", f"127.0.0.1:{app.port}", "-s", "default,16m", "-T", "none"),
    ]
    with running("varnish", command, port, folder, os.environ) as server:
        yield server


def _program(name: str, package: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        pytest.fail(f"{name} is needed: apt-get install {package}")
    return found
