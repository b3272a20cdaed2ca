"""Public names for a sink of your own: what it receives and what it answers.

A sink is any object with ``send(records) -> list of verdicts``, one verdict for each record. ``TIKTOK_SINK`` names a
factory as ``import:package.module:factory``; it gets the delivery's options and returns the sink.
"""

from tiktok_middleware.core.events.event import Record
from tiktok_middleware.core.events_api.answers import Delivered, Halted, Rejected, Retry
from tiktok_middleware.delivery.delivery import DeliveryOptions
from tiktok_middleware.delivery.sender.batch_worker import BatchWorker
from tiktok_middleware.delivery.sender.relay import Sink

__all__ = ["BatchWorker", "Delivered", "DeliveryOptions", "Halted", "Record", "Rejected", "Retry", "Sink"]
