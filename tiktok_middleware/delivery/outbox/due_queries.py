"""Which pixel and source is due next: a look at each of the few lanes, and at none of the rows that wait in them."""

# ruff: noqa: S608 - only placeholders and constants are formatted into SQL

from __future__ import annotations

__all__ = ["HOLDS", "LAST", "MIGRATION", "NEXT"]

# A pixel that is halted for days may have a million rows due before all others. Sorted by lane they are passed over in
# one step, where an index that began with the time would be read through while every other process waits. A hundred
# thousand dead letters are counted without being read.
MIGRATION = """
    DROP INDEX waiting_due;
    CREATE INDEX waiting_lanes ON waiting (pixel, source, due);
    CREATE INDEX dead_died ON dead (died);
    """

_LANES = """WITH RECURSIVE lane (pixel, source) AS (
    SELECT * FROM (SELECT pixel, source FROM waiting ORDER BY pixel, source LIMIT 1)
    UNION ALL
    SELECT next.pixel, next.source FROM lane JOIN waiting AS next ON next.id = coalesce(
        (SELECT id FROM waiting WHERE pixel = lane.pixel AND source > lane.source ORDER BY source LIMIT 1),
        (SELECT id FROM waiting WHERE pixel > lane.pixel ORDER BY pixel, source LIMIT 1)))"""
_IN_LANE = "FROM waiting WHERE waiting.pixel = lane.pixel AND waiting.source = lane.source"

NEXT = f"""{_LANES}
    SELECT pixel, source, (SELECT min(due) {_IN_LANE}) AS due FROM lane WHERE pixel NOT IN {{}} ORDER BY due LIMIT 1"""
"""Pixel, source and time of what is due first; the braces are for the marks of blocked pixels."""

HOLDS = f"""{_LANES}
    SELECT 1 FROM lane WHERE pixel NOT IN {{}} AND EXISTS (SELECT 1 {_IN_LANE} AND +id <= ?) LIMIT 1"""
"""A row where one that is not newer than a number waits for a pixel that is not blocked."""

LAST = f"{_LANES} SELECT max((SELECT max(due) {_IN_LANE})) FROM lane"
"""When what is due last is due."""
