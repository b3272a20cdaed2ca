"""``manage.py check`` says what is wrong with the settings."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from tests.contrib import test_django  # noqa: F401  # configures Django
from tiktok_middleware.contrib.django import check_settings

OURS = "tiktok_middleware.contrib.django.TikTokMiddleware"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"MIDDLEWARE": [OURS, "django.middleware.common.CommonMiddleware"]}, []),
        ({"MIDDLEWARE": []}, [("tiktok.W001", "not in MIDDLEWARE")]),
        (
            {"MIDDLEWARE": ["django.middleware.gzip.GZipMiddleware", OURS]},
            [("tiktok.W002", "after django.middleware.gz")],
        ),
        ({"MIDDLEWARE": [OURS], "TIKTOK": {"gpc": "perhaps"}}, [("tiktok.E001", "'perhaps'; allowed")]),
        (
            {"MIDDLEWARE": [OURS], "TIKTOK": {"pixel": "C0"}},
            [("tiktok.E001", "pixel is no option; did you mean pixel_id?")],
        ),
        ({"MIDDLEWARE": [OURS], "TIKTOK": {"TIKTOK_GPC": "limit"}}, []),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], said: list[tuple[str, str]]) -> None:
    with override_settings(**settings):
        found = check_settings()
    assert [message.id for message in found] == [code for code, _ in said]
    assert all(text in message.msg for message, (_, text) in zip(found, said, strict=True))


def test_django_runs_the_check() -> None:
    with override_settings(MIDDLEWARE=[]):
        assert "tiktok.W001" in {message.id for message in run_checks()}
