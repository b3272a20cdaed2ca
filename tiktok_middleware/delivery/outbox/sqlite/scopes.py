"""Scopes and claim keys: pixel and environment of a record in one column of an outbox file.

The scope of a production record is its pixel, as in every earlier release. The scope of any other record is
``pixel@environment``. An earlier release that uses the same file has no token for such a pixel, so it does not send
these rows.

The key of a claim is the plain ``event_id`` for production's *home* pixel, the first that used the file, and
``scope/event_id`` for all others. So this release and earlier ones share the claims of the home pixel.
"""

from __future__ import annotations

from tiktok_middleware.delivery.outbox.environment import PRODUCTION

__all__ = ["Scopes", "split_scope"]


def split_scope(scope: str) -> tuple[str, str]:
    """Return the pixel and the environment of a scope."""
    pixel, _, environment = scope.partition("@")
    return pixel, environment or PRODUCTION


class Scopes:
    """Scopes and claim keys of one environment.

    Args:
        environment: name of the environment.
        pixels: pixels of the process's pages; if empty, all pixels of the environment count as one.
        sends: pixels whose records the process sends; empty for all of its environment.

    Attributes:
        home: scope whose claims are stored under the plain event id; None until it was read from the file.
        pixels: as above.
        own: scopes of the records that the process sends; empty for all of its environment.
        suffix: part after the pixel in every scope of the environment.
    """

    def __init__(self, environment: str, pixels: tuple[str, ...] = (), sends: tuple[str, ...] = ()) -> None:
        self.environment = environment
        self.suffix: str = "" if environment == PRODUCTION else f"@{environment}"
        self.pixels = pixels
        self.own: tuple[str, ...] = tuple([self.of(pixel) for pixel in sends])
        self.home: str | None = None
        self._prefixes: dict[str, str] = {}

    def of(self, pixel: str) -> str:
        """Return the scope of a pixel."""
        return pixel + self.suffix if self.suffix else pixel

    def pixel(self, scope: str) -> str:
        """Return the pixel of a scope of this environment."""
        return scope.removesuffix(self.suffix) if self.suffix else scope

    def go_home(self, home: str | None) -> None:
        """Set the file's home scope."""
        if home != self.home:
            self.home = home
            self._prefixes = {}

    def prefix(self, pixel: str) -> str:
        """Return the part before the event id in the key of a claim."""
        found = self._prefixes.get(pixel)
        if found is None:
            found = self._prefixes[pixel] = self._prefix(pixel)
        return found

    def keys(self, event_id: str, pixels: tuple[str, ...] | list[str]) -> list[str]:
        """Return the keys of an event's claims, one for each pixel that counts separately."""
        if len(pixels) == 1:
            return [self.prefix(pixels[0]) + event_id]
        prefixes = dict.fromkeys(map(self.prefix, pixels)) or {self.prefix(""): None}
        return [prefix + event_id for prefix in prefixes]

    def _prefix(self, pixel: str) -> str:
        if not self.pixels or not pixel:
            return f"{self.suffix}/" if self.suffix else ""
        scope = self.of(pixel)
        return "" if scope == self.home else f"{scope}/"
