"""Prometheus collector for the delivery of one process. Only this file imports prometheus-client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from tiktok_middleware.delivery.histogram import Distribution

__all__ = ["METRICS", "HasStats", "TikTokCollector"]


class HasStats(Protocol):
    """An object with counts: a client or a delivery."""

    def stats(self) -> Mapping[str, Any]:
        """Return the counts, under the names of `Delivery.stats`."""
        ...


_COUNTERS = {
    "submitted": ("tiktok_events_submitted", "Events handed to delivery."),
    "accepted": ("tiktok_records_accepted", "Server copies stored, one a pixel."),
    "duplicates": ("tiktok_records_duplicate", "Server copies not stored because their event was counted before."),
    "delivered": ("tiktok_records_delivered", "Server copies that the sink took: TikTok, or the broker."),
    "retried": ("tiktok_records_retried", "Times that a server copy was put back for a later try."),
}
_COUNTERS_BY_REASON = {
    "buried": ("tiktok_records_buried", "Server copies that became dead letters."),
    "dropped": ("tiktok_records_dropped", "Server copies lost."),
    "counts": ("tiktok_notices", "What the middleware noticed in requests."),
}
_COUNTERS_BY_PATTERN = {
    "bots": ("tiktok_bots", "Server copies left out because of a bot, by the pattern that its user agent matches."),
}
_GAUGES = {
    "halted": ("tiktok_pixels_halted", "Pixels that nothing is sent to until an operator mends them."),
    "uncommitted": ("tiktok_submissions_uncommitted", "Hand-overs that wait for the disk."),
    "waiting": ("tiktok_outbox_waiting_records", "Server copies in the outbox that are not delivered yet."),
    "bytes": ("tiktok_outbox_waiting_bytes", "Their bodies, in bytes."),
    "dead": ("tiktok_outbox_dead_records", "Dead letters in the outbox."),
    "oldest_s": ("tiktok_outbox_oldest_age_seconds", "Age of the event that has waited longest, in seconds."),
}
_HISTOGRAMS = {
    "batch_records": ("tiktok_batch_records", "Server copies in one request."),
    "send_s": ("tiktok_send_duration_seconds", "Time that the sink took for one request, in seconds."),
}

METRICS = tuple(
    name
    for families, suffix in (
        (_COUNTERS, "_total"),
        (_COUNTERS_BY_REASON, "_total"),
        (_COUNTERS_BY_PATTERN, "_total"),
        (_GAUGES, ""),
        (_HISTOGRAMS, ""),
    )
    for name in (f"{base}{suffix}" for base, _ in families.values())
)
"""The names that a scrape shows."""


class TikTokCollector(Collector):
    """Reads the client's counts at each scrape: ``REGISTRY.register(TikTokCollector(client))``.

    The counters are those of the scraped process. The ``tiktok_outbox_`` gauges are of the file that all processes of
    a host share, so take their maximum over processes, not their sum.

    Args:
        client: a `Client`.
    """

    def __init__(self, client: HasStats) -> None:
        self._client = client

    def describe(self) -> Iterator[Metric]:
        """Yield the metric names without values, so that registering opens no outbox. Open an outbox after a fork."""
        for name, text in _COUNTERS.values():
            yield CounterMetricFamily(name, text)
        for name, text in _COUNTERS_BY_REASON.values():
            yield CounterMetricFamily(name, text, labels=["reason"])
        for name, text in _COUNTERS_BY_PATTERN.values():
            yield CounterMetricFamily(name, text, labels=["pattern"])
        for name, text in _GAUGES.values():
            yield GaugeMetricFamily(name, text)
        for name, text in _HISTOGRAMS.values():
            yield HistogramMetricFamily(name, text)

    def collect(self) -> Iterator[Metric]:
        """Yield all metric families with their current values."""
        stats = self._client.stats()
        for key, (name, text) in _COUNTERS.items():
            yield CounterMetricFamily(name, text, value=stats[key])
        for families, label in ((_COUNTERS_BY_REASON, "reason"), (_COUNTERS_BY_PATTERN, "pattern")):
            for key, (name, text) in families.items():
                family = CounterMetricFamily(name, text, labels=[label])
                for value, count in stats.get(key, {}).items():
                    family.add_metric([value], count)
                yield family
        for key, (name, text) in _GAUGES.items():
            yield GaugeMetricFamily(name, text, value=stats[key])
        for key, (name, text) in _HISTOGRAMS.items():
            yield _histogram(name, text, stats[key])


def _histogram(name: str, text: str, found: Distribution) -> HistogramMetricFamily:
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip((*map(str, map(float, found.bounds)), "+Inf"), found.counts, strict=True):
        total += count
        buckets.append((bound, total))
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=found.sum)
