"""Public names for a sink of your own: the records that it receives and the verdicts that it returns.

A sink is any object with ``send(records) -> list of verdicts``, one verdict for each record. ``TIKTOK_SINK`` names a
factory as ``import:package.module:factory``; the factory gets the delivery's options and returns the sink.
"""

from tiktok_middleware.core.events.event import Record
from tiktok_middleware.core.events_api.answers import Delivered, Halted, Rejected, Retry
from tiktok_middleware.delivery.options import DeliveryOptions
from tiktok_middleware.delivery.sender.batch_worker import BatchWorker
from tiktok_middleware.delivery.sender.relay import Sink

__all__ = ["BatchWorker", "Delivered", "DeliveryOptions", "Halted", "Record", "Rejected", "Retry", "Sink"]
