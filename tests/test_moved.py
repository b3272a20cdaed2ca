"""Documented import paths of the first layout keep working for one release."""

from __future__ import annotations

import importlib

import pytest

from tiktok_middleware import sinks


@pytest.mark.parametrize(
    ("module", "name", "home"),
    [
        ("tiktok_middleware.core.event", "Record", sinks.Record),
        ("tiktok_middleware.core.payload", "Delivered", sinks.Delivered),
        ("tiktok_middleware.core.payload", "Retry", sinks.Retry),
        ("tiktok_middleware.core.payload", "Rejected", sinks.Rejected),
        ("tiktok_middleware.core.payload", "Halted", sinks.Halted),
        ("tiktok_middleware.delivery.courier", "Courier", sinks.BatchWorker),
        ("tiktok_middleware.delivery", "DeliveryOptions", sinks.DeliveryOptions),
    ],
)
def test_old_path_gives_the_same_object_and_a_deprecation_warning(module: str, name: str, home: object) -> None:
    with pytest.warns(DeprecationWarning, match=f"{module}.{name} is now tiktok_middleware"):
        assert getattr(importlib.import_module(module), name) is home


def test_old_path_of_request_class_gives_the_class_of_today() -> None:
    from tiktok_middleware.core.http.request import RequestView

    with pytest.warns(DeprecationWarning, match="RequestView"):
        assert importlib.import_module("tiktok_middleware.core.facts").RequestFacts is RequestView


@pytest.mark.parametrize("module", ["tiktok_middleware.core.event", "tiktok_middleware.delivery"])
def test_name_that_never_existed_under_an_old_path_is_an_attribute_error(module: str) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = importlib.import_module(module).Nothing
