"""Sign values that browsers keep, and reject values that were altered or have expired."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from itsdangerous import BadData, BadSignature, TimestampSigner, URLSafeTimedSerializer

from tiktok_middleware.errors import TokenError

__all__ = ["Signer", "derive_key"]

# Another host, whose clock is ahead of ours, may have signed the token a moment ago.
_SKEW_S = 60


def derive_key(secret: str) -> str:
    """Return a signing key derived from another secret, so that the secret itself never signs anything."""
    return hashlib.sha256(b"tiktok-middleware signing key\0" + secret.encode("utf-8", "surrogatepass")).hexdigest()


class Signer:
    """Signs small JSON values. A token is valid for one purpose only.

    Args:
        keys: newest first. The first key signs and all keys verify, so older tokens survive a key rotation.
        clock: returns the time, in Unix seconds, for the timestamps of tokens and for their age.
    """

    def __init__(self, keys: Sequence[str], clock: Callable[[], float]) -> None:
        # itsdangerous expects the newest key last.
        self._keys = list(reversed(keys))
        self._clock = clock
        self._serializers: dict[str, URLSafeTimedSerializer] = {}

        class ClockedSigner(TimestampSigner):
            def get_timestamp(self) -> int:
                return int(clock())

        self._signer = ClockedSigner

    def dump(self, value: Any, *, purpose: str) -> str:
        """Return a URL-safe and cookie-safe token with the value (JSON types) and the time."""
        return str(self._serializer(purpose).dumps(value))

    def load(self, token: str, *, purpose: str, max_age_s: int) -> Any:
        """Return the value that was passed to :meth:`dump`.

        Raises:
            TokenError: the token is ``forged``, ``expired`` or ``malformed``.
        """
        try:
            value, signed_at = self._serializer(purpose).loads(token, return_timestamp=True)
        except BadSignature:
            raise TokenError("forged") from None
        except (BadData, ValueError, RecursionError):
            raise TokenError("malformed") from None
        if not -_SKEW_S <= self._clock() - signed_at.timestamp() <= max_age_s:
            raise TokenError("expired")
        return value

    def _serializer(self, purpose: str) -> URLSafeTimedSerializer:
        made = self._serializers.get(purpose)
        if made is None:
            made = self._serializers[purpose] = URLSafeTimedSerializer(
                self._keys,
                salt=f"tiktok-middleware.{purpose}",
                signer=self._signer,
                signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
            )
        return made
