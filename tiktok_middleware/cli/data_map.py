"""Tables for a privacy review: what a configuration shares, with whom and under which consent.

The rows come from the options and from the constants that the code itself uses. Nothing is read or sent.
"""

from __future__ import annotations

from datetime import date
from html import escape
from typing import NamedTuple

from tiktok_middleware import __version__
from tiktok_middleware.cli.data_map_sharing import Section, consent, data, own, purposes, recipients
from tiktok_middleware.cli.data_map_storage import cookies, kept, pixel_cookies
from tiktok_middleware.config import Config

__all__ = ["DataMap", "data_map"]


class DataMap(NamedTuple):
    """All tables of one configuration.

    Attributes:
        sections: in the order in which they are read.
        made: a sentence with the day and the version of this package.
    """

    sections: tuple[Section, ...]
    made: str = ""

    def as_json(self) -> dict[str, list[dict[str, str]]]:
        """Return a list of objects for each table, keyed by its title."""
        return {
            section.title: [dict(zip(section.columns, row, strict=True)) for row in section.rows]
            for section in self.sections
        }

    def as_markdown(self) -> str:
        """Return a Markdown document with one table in each section."""
        parts = ["# What is shared with TikTok", *filter(None, [self.made])]
        for section in self.sections:
            lines = [_line(section.columns), _line(("---",) * len(section.columns)), *map(_line, section.rows)]
            parts.append(f"## {section.title}\n\n" + "\n".join(lines))
        return "\n\n".join(parts) + "\n"

    def as_html(self) -> str:
        """Return a complete HTML page with one table in each section."""
        parts = [_HTML_HEAD, f"<h1>What is shared with TikTok</h1>\n<p>{escape(self.made)}</p>"]
        for section in self.sections:
            head = "".join(f"<th scope=col>{escape(column)}</th>" for column in section.columns)
            rows = ("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in section.rows)
            body = "\n".join(rows)
            parts.append(f"<h2>{escape(section.title)}</h2>\n<table>\n<tr>{head}</tr>\n{body}\n</table>")
        return "\n".join(parts) + "\n"


_HTML_HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>What is shared with TikTok</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; overflow-wrap: anywhere }
th, td { border: 1px solid #8888; padding: .4rem .6rem; text-align: left; vertical-align: top }
</style>"""


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def data_map(config: Config, day: date | None = None) -> DataMap:
    """Return the tables of a configuration.

    Args:
        config: checked options.
        day: the day of the tables; None leaves it out.
    """
    made = f"Made by tiktok-middleware {__version__} from this process's configuration"
    return DataMap(
        (
            recipients(config),
            consent(config),
            purposes(config),
            data(config),
            own(config),
            cookies(config),
            pixel_cookies(config),
            kept(config),
        ),
        f"{made}{f' on {day.isoformat()}' if day else ''}.",
    )
