"""How a record's pixel and environment are kept in one column of an outbox file.

The scope of a production record is its pixel, as in every earlier release; that of any other record is
``pixel@environment``. An earlier release that uses the same file has no token for such a pixel, so that it leaves its
rows alone.

The key of a claim is the bare ``event_id`` for production's *home* pixel, the first that used the file, and
``scope/event_id`` for all others. So claims of earlier releases keep their key and theirs are ours.
"""

from __future__ import annotations

from tiktok_middleware.delivery.outbox.environment import PRODUCTION

__all__ = ["Scopes", "split_scope"]


def split_scope(scope: str) -> tuple[str, str]:
    """The pixel and the environment of a scope."""
    pixel, _, environment = scope.partition("@")
    return pixel, environment or PRODUCTION


class Scopes:
    """Scopes and claim keys of one environment.

    Args:
        environment: the name of the environment.
        pixels: the pixels of the process's pages; where there are none, all pixels of the environment count as one.
        sends: the pixels whose records the process sends; empty for all of its environment.

    Attributes:
        home: the scope whose claims are kept under their bare id; None until the file names it.
        pixels: as above.
        own: the scopes of what the process sends; empty for all of its environment.
        suffix: what follows the pixel in every scope of the environment.
    """

    def __init__(self, environment: str, pixels: tuple[str, ...] = (), sends: tuple[str, ...] = ()) -> None:
        self.environment = environment
        self.suffix: str = "" if environment == PRODUCTION else f"@{environment}"
        self.pixels = pixels
        self.own: tuple[str, ...] = tuple([self.of(pixel) for pixel in sends])
        self.home: str | None = None
        self._prefixes: dict[str, str] = {}

    def of(self, pixel: str) -> str:
        """The scope of a pixel."""
        return pixel + self.suffix if self.suffix else pixel

    def pixel(self, scope: str) -> str:
        """The pixel of a scope of this environment."""
        return scope.removesuffix(self.suffix) if self.suffix else scope

    def go_home(self, home: str | None) -> None:
        """Note which scope is the file's home."""
        if home != self.home:
            self.home = home
            self._prefixes = {}

    def prefix(self, pixel: str) -> str:
        """What precedes the event id in the key of a claim."""
        found = self._prefixes.get(pixel)
        if found is None:
            found = self._prefixes[pixel] = self._prefix(pixel)
        return found

    def keys(self, event_id: str, pixels: tuple[str, ...] | list[str]) -> list[str]:
        """The keys that an event's claim is kept under, one for each pixel that counts by itself."""
        if len(pixels) == 1:
            return [self.prefix(pixels[0]) + event_id]
        prefixes = dict.fromkeys(map(self.prefix, pixels)) or {self.prefix(""): None}
        return [prefix + event_id for prefix in prefixes]

    def _prefix(self, pixel: str) -> str:
        if not self.pixels or not pixel:
            return f"{self.suffix}/" if self.suffix else ""
        scope = self.of(pixel)
        return "" if scope == self.home else f"{scope}/"
