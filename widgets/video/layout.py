"""Which camera stands on which tile: frozen arrangements and the steps between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

Cell = tuple[int, int, int, int]
"""Column, row, columns, rows in grid units."""


class Preset(StrEnum):
    """How the wall is divided; the value is what the operator reads."""

    ONE = "1"
    FOUR = "4"
    NINE = "9"
    SIXTEEN = "16"
    TWENTY_FIVE = "25"
    ONE_AND_FIVE = "1+5"
    ONE_AND_SEVEN = "1+7"


def _even(n: int) -> tuple[Cell, ...]:
    return tuple((column, row, 1, 1) for row in range(n) for column in range(n))


def _one_large(n: int) -> tuple[Cell, ...]:
    """Return a large tile at the upper left and small ones along the right and the lower edge of an n x n grid."""
    right = tuple((n - 1, row, 1, 1) for row in range(n - 1))
    below = tuple((column, n - 1, 1, 1) for column in range(n))
    return ((0, 0, n - 1, n - 1), *right, *below)


CELLS: Mapping[Preset, tuple[Cell, ...]] = {
    Preset.ONE: _even(1),
    Preset.FOUR: _even(2),
    Preset.NINE: _even(3),
    Preset.SIXTEEN: _even(4),
    Preset.TWENTY_FIVE: _even(5),
    Preset.ONE_AND_FIVE: _one_large(3),
    Preset.ONE_AND_SEVEN: _one_large(4),
}
GRID_SIDE: Mapping[Preset, int] = {
    Preset.ONE: 1,
    Preset.FOUR: 2,
    Preset.NINE: 3,
    Preset.SIXTEEN: 4,
    Preset.TWENTY_FIVE: 5,
    Preset.ONE_AND_FIVE: 3,
    Preset.ONE_AND_SEVEN: 4,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WallLayout:
    """An arrangement of the wall.

    Attributes:
        slots: Cameras in the order of tiles over all pages; None is an empty tile.
        page: From 0.
        enlarged: Tile of the page that fills the wall; None where all are shown.
        guests: Cameras that stand in for the ones of a tile for now: (tile of the page, camera).
        left_out: Cameras that were taken off the wall on purpose.
        pinned: Cameras whose tile only the operator may take.
        alarm_tile: Tile of each page that alarms bring their camera to; None takes what was used least.
    """

    preset: Preset = Preset.FOUR
    slots: tuple[str | None, ...] = ()
    page: int = 0
    enlarged: int | None = None
    guests: tuple[tuple[int, str], ...] = ()
    left_out: frozenset[str] = frozenset()
    pinned: frozenset[str] = frozenset()
    alarm_tile: int | None = None

    @property
    def n_tiles(self) -> int:
        """Tiles on a page."""
        return len(CELLS[self.preset])

    @property
    def n_pages(self) -> int:
        """Pages that hold every camera; at least one."""
        n_used = max((index + 1 for index, camera in enumerate(self.slots) if camera is not None), default=0)
        return max(1, -(-n_used // self.n_tiles))

    @property
    def cameras(self) -> tuple[str | None, ...]:
        """The camera of each tile of this page, guests included."""
        first = self.page * self.n_tiles
        page = list(self.slots[first : first + self.n_tiles])
        page += [None] * (self.n_tiles - len(page))
        for tile, camera in self.guests:
            if tile < len(page):
                page[tile] = camera
        return tuple(page)

    @property
    def visible(self) -> tuple[int, ...]:
        """Tiles of this page that can be seen."""
        return tuple(range(self.n_tiles)) if self.enlarged is None else (self.enlarged,)


def with_cameras(layout: WallLayout, camera_ids: Iterable[str]) -> WallLayout:
    """Give every camera a tile and take away those that are gone; what has a place keeps it."""
    wanted = list(camera_ids)
    known = set(wanted)
    slots = [camera if camera in known else None for camera in layout.slots]
    placed = set(slots)
    for camera in wanted:
        if camera in placed or camera in layout.left_out:
            continue
        if None in slots:
            slots[slots.index(None)] = camera
        else:
            slots.append(camera)
    guests = tuple((tile, camera) for tile, camera in layout.guests if camera in known)
    return _tidy(replace(layout, slots=tuple(slots), guests=guests))


def with_preset(layout: WallLayout, preset: Preset) -> WallLayout:
    """Divide the wall anew; the first camera of the page stays in sight."""
    first = layout.page * layout.n_tiles
    changed = replace(layout, preset=preset, enlarged=None, guests=())
    return _tidy(replace(changed, page=first // changed.n_tiles))


def turned(layout: WallLayout, n_pages: int) -> WallLayout:
    """Turn pages forward, or back where `n_pages` is negative; stops at the ends."""
    return _tidy(replace(layout, page=layout.page + n_pages, enlarged=None, guests=()))


def swapped(layout: WallLayout, a: int, b: int) -> WallLayout:
    """Exchange two tiles of this page; a guest that is moved is there to stay."""
    cameras = layout.cameras
    return put(put(layout, a, cameras[b]), b, cameras[a])


def put(layout: WallLayout, tile: int, camera_id: str | None) -> WallLayout:
    """Put a camera on a tile of this page; where it stood before comes what it replaces."""
    index = layout.page * layout.n_tiles + tile
    slots = list(layout.slots) + [None] * max(0, index + 1 - len(layout.slots))
    replaced = slots[index]
    if camera_id is not None and camera_id in slots:
        slots[slots.index(camera_id)] = replaced
    slots[index] = camera_id
    guests = tuple((at, guest) for at, guest in layout.guests if at != tile and guest != camera_id)
    left_out = layout.left_out - {camera_id}
    if camera_id is None and replaced is not None:
        left_out |= {replaced}
    return _tidy(replace(layout, slots=tuple(slots), guests=guests, left_out=left_out))


def enlarged(layout: WallLayout, tile: int | None) -> WallLayout:
    """Let one tile fill the wall, or show all again."""
    return replace(layout, enlarged=tile)


def with_guest(layout: WallLayout, tile: int, camera_id: str) -> WallLayout:
    """Show a camera on a tile for now; `without_guests` brings back what stands there.

    No camera is on two tiles: one that has a tile of its own on this page is shown there.
    """
    own = replace(layout, guests=()).cameras
    if camera_id in own:
        at_home = own.index(camera_id)
        return replace(layout, guests=tuple((at, guest) for at, guest in layout.guests if at != at_home))
    kept = tuple((at, guest) for at, guest in layout.guests if at != tile and guest != camera_id)
    return replace(layout, guests=(*kept, (tile, camera_id)))


def without_guest(layout: WallLayout, camera_id: str) -> WallLayout:
    """Let one camera go that was brought for now."""
    return replace(layout, guests=tuple(guest for guest in layout.guests if guest[1] != camera_id))


def with_pin(layout: WallLayout, camera_id: str) -> WallLayout:
    """Keep a camera's tile from being taken, or let it be taken again."""
    return replace(layout, pinned=layout.pinned ^ {camera_id})


def with_alarm_tile(layout: WallLayout, tile: int) -> WallLayout:
    """Bring alarms to this tile; asked for the same one again, to whichever was used least."""
    return replace(layout, alarm_tile=None if layout.alarm_tile == tile else tile)


def without_guests(layout: WallLayout) -> WallLayout:
    """Show the arrangement itself again."""
    return replace(layout, guests=())


def for_alarm(layout: WallLayout, camera_ids: Iterable[str]) -> WallLayout:
    """Return an arrangement of these cameras, the first one largest; what room is left keeps what it showed."""
    seen = (camera for tile in layout.visible if (camera := layout.cameras[tile]) is not None)
    wanted = tuple(dict.fromkeys((*camera_ids, *seen)))
    preset = Preset.ONE if len(wanted) == 1 else Preset.ONE_AND_FIVE
    return WallLayout(preset=preset, slots=wanted[: len(CELLS[preset])], pinned=layout.pinned)


def to_dict(layout: WallLayout) -> dict[str, Any]:
    """Return what is worth keeping, as plain data; guests and the enlarged tile are for the moment."""
    return {
        "preset": layout.preset.value,
        "slots": list(layout.slots),
        "page": layout.page,
        "left_out": sorted(layout.left_out),
        "pinned": sorted(layout.pinned),
        "alarm_tile": layout.alarm_tile,
    }


def from_dict(data: Mapping[str, Any]) -> WallLayout:
    """Read what `to_dict` wrote; anything that is not understood counts as missing."""
    preset = data.get("preset")
    slots = data.get("slots")
    page = data.get("page")
    alarm_tile = data.get("alarm_tile")
    seen: set[str] = set()
    kept: list[str | None] = []
    for slot in slots if isinstance(slots, list | tuple) else ():
        is_new = isinstance(slot, str) and slot not in seen
        kept.append(slot if is_new else None)
        if is_new:
            seen.add(slot)
    return _tidy(
        WallLayout(
            preset=Preset(preset) if isinstance(preset, str) and preset in set(Preset) else Preset.FOUR,
            slots=tuple(kept),
            page=page if isinstance(page, int) else 0,
            left_out=_names(data.get("left_out")),
            pinned=_names(data.get("pinned")),
            alarm_tile=alarm_tile if isinstance(alarm_tile, int) and alarm_tile >= 0 else None,
        )
    )


def _names(found: object) -> frozenset[str]:
    return (
        frozenset(name for name in found if isinstance(name, str)) if isinstance(found, list | tuple) else frozenset()
    )


def _tidy(layout: WallLayout) -> WallLayout:
    slots = layout.slots
    while slots and slots[-1] is None:
        slots = slots[:-1]
    tidied = replace(layout, slots=slots)
    page = max(0, min(layout.page, tidied.n_pages - 1))
    # On another page a guest might stand beside its own tile.
    return tidied if page == layout.page else replace(tidied, page=page, guests=())
