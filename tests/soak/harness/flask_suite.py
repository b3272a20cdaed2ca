"""A pytest plugin: every Flask app of Flask's own tests runs inside our WSGI door."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from flask import Flask

from tiktok_middleware.wsgi import TikTokMiddleware

from . import setting
from .judge import Judge


class Wrapped:
    """One call of an app inside the middleware; what its client sees is the app's own answer, after it was compared."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        judge = Judge(setting.LEDGER, is_head=environ["REQUEST_METHOD"] == "HEAD", is_busy=setting.IS_BUSY)
        app_headers: list[tuple[str, str]] = []

        def start_ours(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            judge.ours_started(headers)
            write = start_response(status, list(app_headers), exc_info)
            return lambda data: write(judge.ours_sent(data))

        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            setting.track(environ)

            def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
                app_headers[:] = headers
                write = start_response(status, judge.app_started(int(status[:3]), headers), exc_info)
                return lambda data: write(judge.app_sent(data))

            return _Recorded(self._app(environ, start), judge)

        try:
            iterable = TikTokMiddleware(app, setting.client())(environ, start_ours)
        except BaseException:
            judge.ended(is_whole=False)
            raise
        return _Handed(iterable, judge)


class _Recorded:
    """The app's iterable, noted down."""

    def __init__(self, iterable: Iterable[bytes], judge: Judge) -> None:
        self._iterable = iterable
        self._iterator = iter(iterable)
        self._judge = judge

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return self._judge.app_sent(next(self._iterator))
        except StopIteration:
            rest = self._judge.app_ended()
            if rest:
                return rest
            raise

    def close(self) -> None:
        if hasattr(self._iterable, "close"):
            self._iterable.close()


class _Handed:
    """What comes out, on to the test."""

    def __init__(self, iterable: Iterable[bytes], judge: Judge) -> None:
        self._iterable = iterable
        self._iterator = iter(iterable)
        self._judge = judge
        self._is_whole = False
        self._is_judged = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return self._judge.ours_sent(next(self._iterator))
        except StopIteration:
            self._is_whole = True
            raise

    def close(self) -> None:
        try:
            if hasattr(self._iterable, "close"):
                self._iterable.close()
        finally:
            if not self._is_judged:
                self._is_judged = True
                self._judge.ended(is_whole=self._is_whole)

    def __del__(self) -> None:
        if not self._is_judged:  # the client has read it to its end and never closed it
            self._is_judged = True
            self._judge.ended(is_whole=self._is_whole)


def _wrap_calls(kind: Any) -> None:
    original = kind.__call__

    def call(self: Flask, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        def bare(environ: dict[str, Any], start_response: Any) -> Any:
            return original(self, environ, start_response)

        return Wrapped(bare)(environ, start_response)

    kind.__call__ = call


def pytest_configure() -> None:
    setting.client()  # its files are read before any event loop runs
    _wrap_calls(Flask)


def pytest_sessionfinish() -> None:
    setting.close()
