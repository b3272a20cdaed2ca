"""Make the scripts of pages and the event headers of other responses, safely escaped."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from copy import copy
from functools import lru_cache
from typing import Any

import msgspec

from tiktok_middleware.core.http.url_prefix import url_prefix
from tiktok_middleware.core.visitor.pii_patterns import SUSPECT, SUSPECT_BASE64

__all__ = ["BrowserCopy", "Snippet", "SnippetEntry", "answer_headers", "ascii_json", "encode_copies", "sealed_headers"]

#: One browser copy: event name, properties, event id.
BrowserCopy = tuple[str, Mapping[str, object], str]

#: A sealed event for a page: event name, properties, event id (empty: the browser makes one), token.
SnippetEntry = tuple[str, Mapping[str, object], str, str]

_encode = msgspec.json.Encoder().encode
_encode_escaped = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode


def encode_copies(copies: Sequence[BrowserCopy]) -> str:
    """Return browser copies as compact ASCII JSON: ``[[name, properties, event_id], ...]``."""
    return ascii_json(copies)


def ascii_json(value: Any) -> str:
    """Return compact ASCII JSON. The slower of two encoders is used only for text that needs escapes."""
    try:
        encoded = _encode(value)
    except UnicodeEncodeError:  # a lone surrogate
        return _encode_escaped(value)
    return encoded.decode("ascii") if encoded.isascii() else _encode_escaped(value)


def answer_headers(copies: Sequence[BrowserCopy], references: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Return the headers that carry events with an answer to a script.

    ``TikTok-Events`` holds the copies as JSON, for code that reads the answer. ``Server-Timing``
    (https://www.w3.org/TR/server-timing/) holds the same in base64: the helper script can read that header without
    wrapping ``fetch`` or ``XMLHttpRequest``. A reference names a copy that the helper fetches from the endpoint.
    """
    encoded = encode_copies(copies)
    announced = [b64encode(encoded.encode("ascii")).decode("ascii")] if copies else []
    announced += [f"~{reference}" for reference in references]
    timing = ", ".join(f'tiktok;desc="{word}"' for word in announced)
    return [*([("TikTok-Events", encoded)] if copies else ()), ("Server-Timing", timing)]


def sealed_headers(sealed: Sequence[tuple[str, str]], references: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Return the header that carries sealed events, each a token and its event id, with an answer to a script.

    The page keeps them in its memory until the visitor agrees.
    """
    announced = [b64encode(ascii_json(sealed).encode("ascii")).decode("ascii")] if sealed else []
    announced += [f"~{reference}" for reference in references]
    return [("Server-Timing", ", ".join(f'tiktok;desc="{word}"' for word in announced))]


def _script_json(value: Any) -> str:
    """Return JSON that is safe inside ``<script>``: ASCII, without ``<``, ``>`` and ``&``."""
    return ascii_json(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@lru_cache(maxsize=16)  # a process with many configurations reads few files
def _with_patterns(code: str) -> str:
    """Return the code with the placeholders replaced by the patterns that detect personal data."""
    for name, pattern in (("/SUSPECT/", SUSPECT), ("/SUSPECT_BASE64/", SUSPECT_BASE64)):
        code = code.replace(name, f"/{pattern}/".replace("(?:", "("))  # shorter; nobody reads the groups
    return code


# The helper takes references from answers: this is one with a Server-Timing header.
_LATE_REFERENCE = (
    "tiktok.todo.push(['receive',{url:'',headers:{get:function(n){return n>'T'?'':'tiktok;desc=\"~%s\"'}}}])"
)


class Snippet:
    """Makes the scripts of one configuration.

    Args:
        pixel_js: the base code: a call of a function expression, cut off before its third argument.
        helper_js: the helper script.
        more_js: the scripts that the helper loads when a page needs them, by the first word of their file's name.
        stub_js: the script of a page whose visitor has refused.
        pixels: the pixel codes.
        pixel_url: address of TikTok's script.
        options: arguments of ``ttq.load``.
        endpoint: path prefix of the helper.
        cookie_domain: the value of ``TIKTOK_COOKIE_DOMAIN``.
    """

    def __init__(
        self,
        *,
        pixel_js: str,
        helper_js: str,
        more_js: Mapping[str, str],
        stub_js: str,
        pixels: Sequence[str],
        pixel_url: str,
        options: Mapping[str, object],
        endpoint: str,
        cookie_domain: str = "auto",
    ) -> None:
        self.helper: bytes = helper_js.encode("ascii")
        #: The script files, by the first word of their names. The names share one hash: the helper derives the others.
        more = {name: text.encode("ascii") for name, text in more_js.items()}
        self.files: Mapping[str, bytes] = {"helper": self.helper, **more}
        self._hash = hashlib.sha256(b"".join(self.files.values())).hexdigest()[:16]
        self._endpoint = endpoint
        self.helper_path: str = self.file_path("helper")
        self._base = _with_patterns(pixel_js)
        self._stub = stub_js
        self._config: dict[str, object] = {"u": pixel_url, "o": dict(options)}
        if cookie_domain != "auto":
            self._config["y"] = [] if cookie_domain == "host" else [cookie_domain]
        self._load(pixels)

    def _load(self, pixels: Sequence[str]) -> None:
        self._config = {**self._config, "p": list(pixels)}
        self._cached = lru_cache(maxsize=64)(self._constant)
        #: Name of this configuration's scripts; changes with everything that they are made of.
        self.mark: str = hashlib.sha256(self.page("", page=True)).hexdigest()[:8]

    def file_path(self, kind: str) -> str:
        """Return the path of the current script file of this kind."""
        return f"{self._endpoint}/{kind}-{self._hash}.js"

    def with_pixels(self, pixels: Sequence[str]) -> Snippet:
        """Return the maker of the same scripts with other pixels."""
        made = copy(self)
        made._load(pixels)  # noqa: SLF001  # of this class
        return made

    def constant(
        self,
        mount: str,
        *,
        page: bool,
        gate: int,
        limited: bool,
        nonce: str,
        wait: bool = False,
        hello: bool = False,
        collect: str = "",
    ) -> bytes:
        """Return the script element of a page without events or identity. It differs in the nonce alone."""
        made = self._cached((mount, page, gate, limited, wait, hello, collect))
        return made.replace(b"<script", f'<script nonce="{nonce}"'.encode("ascii")) if nonce else made

    def _constant(self, kind: tuple[str, bool, int, bool, bool, bool, str]) -> bytes:
        mount, page, gate, limited, wait, hello, collect = kind
        return self.page(mount, page=page, gate=gate, limited=limited, wait=wait, hello=hello, collect=collect)

    def page(
        self,
        mount: str,
        *,
        page: bool,
        gate: int = 0,
        limited: bool = False,
        identity: Mapping[str, str] | None = None,
        copies: Sequence[BrowserCopy] = (),
        clear_cookies: Sequence[str] = (),
        wait: bool = False,
        hello: bool = False,
        collect: str = "",
        sealed: Sequence[SnippetEntry] = (),
        references: Sequence[str] = (),
        nonce: str = "",
        has_helper: bool = False,
    ) -> bytes:
        """Return the script element of one page.

        Args:
            mount: path prefix that the app is mounted under.
            page: whether this is a page view.
            gate: 1 if the page checks the browser's privacy signals first, 2 if it checks only our own cookie, 3 if
                the endpoint decides what the signals mean.
            limited: TikTok's limited data use.
            identity: hashes for ``ttq.identify``.
            copies: events to fire.
            clear_cookies: names of the cookies to clear after the events have fired.
            wait: whether the pixel waits for the visitor's consent.
            hello: whether the page may reach other visitors than the one it was made for; it then asks the endpoint.
            collect: path to which the page reports its own events; empty if it may have none.
            sealed: events that the browser has to confirm.
            references: references to copies that the page fetches from the endpoint.
            nonce: nonce of the page's Content Security Policy.
            has_helper: whether the helper is there already, so that the script does not request it.
        """
        config = dict(self._config)
        if limited:
            config["o"] = {**self._config["o"], "limited_data_use": True}  # type: ignore[dict-item]
        optional = {
            "v": int(page),
            "g": gate,
            "w": int(wait),
            "h": int(hello),
            "n": collect,
            "i": identity,
            "e": copies,
            "s": sealed,
            "x": references,
            "k": clear_cookies,
            "j": "" if has_helper else url_prefix(mount) + self.helper_path,
        }
        config.update({key: value for key, value in optional.items() if value})
        return _element(f"{self._base}{_script_json(config)});", nonce)

    def refused(self, mount: str, nonce: str = "") -> bytes:
        """Return the script element of a page whose visitor has refused: without pixel id and TikTok's code."""
        return _element(f"{self._stub}{_script_json(url_prefix(mount) + self.helper_path)});", nonce)

    def code(self, *, page: bool, limited: bool, collect: str) -> str:
        """Return the code that a page runs when a visitor who had refused agrees later."""
        element = self.page("", page=page, limited=limited, collect=collect, has_helper=True).decode("ascii")
        return element[len("<script>") : element.index("</script>")]

    def file(self, mount: str, *, page: bool, gate: int, limited: bool, wait: bool, collect: str) -> bytes:
        """Return the snippet as a script file, for pages that Python does not serve.

        Paths are resolved against the file's own address, not against the address of the page that includes it.

        Args:
            mount: as for :meth:`page`, like all the others.
            page: whether a page that includes the file counts as a page view.
            gate: what the page checks in the browser first.
            limited: TikTok's limited data use.
            wait: whether the pixel waits for the visitor's consent.
            collect: path to which the page reports its own events; empty if it may have none.
        """
        config = {**self._config, "h": 1, **({"v": 1} if page else {}), **({"g": gate} if gate else {})}
        if limited:
            config["o"] = {**self._config["o"], "limited_data_use": True}  # type: ignore[dict-item]
        if wait:
            config["w"] = 1
        helper = _script_json(url_prefix(mount) + self.helper_path)
        absolute = "function(path){return new URL(path,document.currentScript.src).href}"
        given = _script_json(config)
        if collect:
            given = f"Object.assign({given},{{n:({absolute})({_script_json(collect)})}})"
        load = (
            "try{(function(d){var s=d.createElement('script');s.nonce=d.currentScript.nonce;"
            f"s.src=({absolute})({helper});if([].flat&&d.head.toggleAttribute)d.head.appendChild(s)"
            "})(document)}catch(e){}"
        )
        return f"{self._base}{given});{load}".encode("ascii")

    def late(
        self,
        copies: Sequence[BrowserCopy],
        sealed: Sequence[SnippetEntry] = (),
        references: Sequence[str] = (),
        *,
        nonce: str = "",
    ) -> bytes:
        """Return a second script, for events that were tracked after the first script had left."""
        calls = [f"tiktok.emit({_script_json(copies)})"] if copies else []
        calls += [f"tiktok.todo.push({_script_json(['seal', *entry])})" for entry in sealed]
        calls += [_LATE_REFERENCE % reference for reference in references]
        return _element(f"try{{{';'.join(calls)}}}catch(e){{}}", nonce)


def _element(code: str, nonce: str) -> bytes:
    attribute = f' nonce="{nonce}"' if nonce else ""
    return f"<script{attribute}>{code}</script>".encode("ascii")
