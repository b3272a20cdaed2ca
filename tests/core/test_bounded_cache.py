"""What visitors write into keys fills no memory."""

from __future__ import annotations

from tiktok_middleware.core.runtime import BoundedCache


def test_an_answer_is_found_again() -> None:
    memo: BoundedCache[object, int] = BoundedCache()
    memo.keep((200, b"a", ("b", None)), 1)
    assert memo.get((200, b"a", ("b", None))) == 1


def test_keys_of_long_texts_are_not_kept() -> None:
    memo: BoundedCache[object, int] = BoundedCache()
    memo.keep(("x" * 600, (b"y" * 425,)), 1)
    assert not memo
    memo.keep(("x" * 600, (b"y" * 424,)), 1)
    assert memo


def test_it_is_bounded() -> None:
    memo: BoundedCache[object, int] = BoundedCache()
    for key in range(5000):
        memo.keep(key, key)
        assert 1 <= len(memo) <= 512
        assert memo[key] == key
