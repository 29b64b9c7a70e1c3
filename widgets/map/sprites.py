"""Keeps drawn symbols while they are in use, within a bound of bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPixmap

KEPT_BYTES = 4 * 1024 * 1024
"""Of symbols that are not in sight any more, about; what one painting needs is kept beside them, however much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sprite:
    """A drawn symbol and where its middle lies."""

    pixmap: QPixmap
    middle: QPointF
    body: QRectF

    @property
    def n_bytes(self) -> int:
        """Size in memory."""
        return self.pixmap.width() * self.pixmap.height() * self.pixmap.depth() // 8


class SpriteStore:
    """Symbols by what they look like.

    Two generations: `begin_paint` makes the young one old once it is full, and what nobody asked for since it was made
    old before is let go. So whatever one painting needs is never drawn twice, however much it is.
    """

    def __init__(self, max_bytes: int = KEPT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._young: dict[tuple[object, ...], Sprite] = {}
        self._old: dict[tuple[object, ...], Sprite] = {}
        self._n_young_bytes = 0

    @property
    def n_bytes(self) -> int:
        """What all kept symbols take."""
        return self._n_young_bytes + sum(sprite.n_bytes for sprite in self._old.values())

    def begin_paint(self) -> None:
        """Let go of what was not used for long, if there is much."""
        if self._n_young_bytes > self._max_bytes:
            self._old, self._young = self._young, {}
            self._n_young_bytes = 0

    def get(self, key: tuple[object, ...], draw: Callable[[], Sprite]) -> Sprite:
        """Return the symbol that looks like `key`; drawn if it is not kept."""
        sprite = self._young.get(key)
        if sprite is None:
            sprite = self._old.pop(key, None) or draw()
            self._young[key] = sprite
            self._n_young_bytes += sprite.n_bytes
        return sprite

    def clear(self) -> None:
        """Keep nothing."""
        self._young.clear()
        self._old.clear()
        self._n_young_bytes = 0
