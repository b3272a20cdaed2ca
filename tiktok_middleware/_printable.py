"""Loggers that escape control characters, so that text of a request cannot forge lines or control a terminal."""

from __future__ import annotations

import logging
import re
import traceback

__all__ = ["own_logger", "printable", "without_password"]

# C0 and C1 controls, line and paragraph separators, bidirectional controls, lone surrogates.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Return the text with each control character escaped, a line feed as two characters."""
    return _CONTROL.sub(_escaped, text)


def without_password(url: str) -> str:
    """Return a URL without user information, and without a query, which may hold a password too.

    A password may hold any character: all before the last ``@`` is left out.
    """
    shown, _, query = re.sub(r"//\S*@", "//...@", url).partition("?")
    return f"{shown}?..." if query else shown


def own_logger(name: str) -> logging.Logger:
    """Return the logger of this name, whose lines are printable, also those of tracebacks.

    Args:
        name: ``tiktok_middleware``, or a module's name.
    """
    logger = logging.getLogger(name)
    if _filter not in logger.filters:
        logger.addFilter(_filter)
    return logger


class _Printable(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if _CONTROL.search(message):
            record.msg, record.args = printable(message), None
        if record.exc_info and record.exc_info[1] is not None and not record.exc_text:
            lines = "".join(traceback.format_exception(record.exc_info[1])).splitlines()
            # Indented, so that no line of an exception's text looks like a log line.
            record.exc_text = "\n".join(f"  {printable(line)}" for line in lines)
        return True


_filter = _Printable()


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return {10: "\\n", 13: "\\r", 9: "\\t"}.get(code) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
