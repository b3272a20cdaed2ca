"""What a command needs before it starts: installed packages and free ports."""

from __future__ import annotations

import importlib.util
import socket

import click

__all__ = ["is_installed", "need_free_port", "need_package"]


def is_installed(module: str) -> bool:
    """Return whether a module can be imported; it is not imported."""
    return importlib.util.find_spec(module) is not None


def need_package(module: str, extra: str) -> None:
    """Raise a ``ClickException`` that names the extra to install, if a module is missing."""
    if not is_installed(module):
        raise click.ClickException(f'{module} is missing: pip install "tiktok-middleware[{extra}]"')


def need_free_port(host: str, port: int) -> None:
    """Raise a ``ClickException`` if nothing can listen on this port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise click.ClickException(
                f"cannot listen on {host}:{port} ({error.strerror}); choose another with --port or PORT"
            ) from None
