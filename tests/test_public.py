"""The names that people write into their apps exist, and say what they are for."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from contextvars import Context

import pytest

import tiktok_middleware
from tests.core.core_world import runtime_of, tracker_of
from tiktok_middleware.core.tracking.current import tracker_var


def modules() -> list[str]:
    found = [module.name for module in pkgutil.walk_packages(tiktok_middleware.__path__, "tiktok_middleware.")]
    return ["tiktok_middleware", *found]


def test_there_are_modules_to_look_at() -> None:
    assert {"tiktok_middleware.asgi", "tiktok_middleware.wsgi", "tiktok_middleware.core.response.exchange"} <= set(
        modules()
    )


#: Modules that Django imports once it has its settings, in a process of their own: other tests have other settings.
IN_DJANGO = {"tiktok_middleware.contrib.django.admin", "tiktok_middleware.contrib.django.models"}
_DJANGO = """
import django
from django.conf import settings
apps = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.admin", "tiktok_middleware.contrib.django"]
settings.configure(INSTALLED_APPS=apps)
django.setup()
from tests.test_public import check_module
check_module({!r})
"""


@pytest.mark.parametrize("name", sorted(set(modules()) - IN_DJANGO))
def test_every_promised_name_exists(name: str) -> None:
    check_module(name)


@pytest.mark.parametrize("name", sorted(IN_DJANGO))
def test_every_promised_name_exists_in_django(name: str) -> None:
    done = subprocess.run([sys.executable, "-c", _DJANGO.format(name)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def check_module(name: str) -> None:
    module = importlib.import_module(name)
    promised = getattr(module, "__all__", [])
    assert len(set(promised)) == len(promised)
    for promise in promised:
        assert getattr(module, promise) is not None
    assert module.__doc__, "a module says what it does"


@pytest.mark.parametrize("name", tiktok_middleware.__all__)
def test_every_name_of_the_front_door_is_documented(name: str) -> None:
    assert getattr(tiktok_middleware, name).__doc__


def test_the_front_door_can_be_taken_whole() -> None:
    names: dict[str, object] = {}
    exec("from tiktok_middleware import *", names)
    assert set(tiktok_middleware.__all__) <= names.keys()


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Clients'"):
        tiktok_middleware.Clients  # noqa: B018


def test_the_current_tracker_is_found_far_from_the_request() -> None:
    tracker = tracker_of(runtime_of())
    token = tracker_var.set(tracker)
    try:
        assert tiktok_middleware.current() is tracker
    finally:
        tracker_var.reset(token)


def test_outside_a_request_it_is_said_that_there_is_none() -> None:
    with pytest.raises(LookupError, match="behind TikTokMiddleware"):
        Context().run(tiktok_middleware.current)


def test_every_error_is_of_one_family() -> None:
    errors = [tiktok_middleware.ConfigError, tiktok_middleware.EventError, tiktok_middleware.TokenError]
    for error in [*errors, tiktok_middleware.OutboxError]:
        assert issubclass(error, tiktok_middleware.TikTokError)
    assert all(issubclass(error, ValueError) for error in errors)
