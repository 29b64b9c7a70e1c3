"""How an alarm's camera gets onto the wall, and how what stood there comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from widgets.video.layout import WallLayout, enlarged, with_guest, without_guest
from widgets.video.popup import AlarmQueue, Call, chosen, stepped, with_calls, without_current

NO_TILE = "every tile is pinned"

Importance = tuple[float, ...]
"""Compared from the first figure on."""


class WallPopup:
    """Keeps the queue of alarms, and the one tile that their cameras are brought to.

    It takes the tile that is set for alarms, else the one that the operator used least, an empty one first; never one
    that is pinned. It selects nothing and takes no focus.
    """

    def __init__(
        self,
        *,
        layout: Callable[[], WallLayout],
        show: Callable[[WallLayout], None],
        importance: Callable[[WallLayout, int], Importance],
    ) -> None:
        """Work on a wall.

        Args:
            layout: The arrangement as it is.
            show: Show another one for now.
            importance: Of a tile; the least important one is taken.
        """
        self._layout = layout
        self._show = show
        self._importance = importance
        self._camera_id = ""
        self._tile: int | None = None
        self._was_enlarged: int | None = None
        self.queue = AlarmQueue()
        self.is_on = True
        self.problem = ""

    def show_calls(self, calls: Iterable[Call]) -> None:
        """Take over every alarm that calls now."""
        self._turn_to(with_calls(self.queue, calls))

    def step(self, n: int) -> None:
        """Show the next alarm, or the one before."""
        self._turn_to(stepped(self.queue, n))

    def dismiss(self) -> bool:
        """Take the alarm that is shown off the wall; False where there is none."""
        if not self.is_on or self.queue.current is None:
            return False
        self._turn_to(without_current(self.queue))
        return True

    def choose(self, camera_id: str) -> bool:
        """Show a camera's alarm; False where it has none in the queue."""
        if not self.is_on or all(call.camera_id != camera_id for call in self.queue.calls):
            return False
        self._turn_to(chosen(self.queue, camera_id))
        return True

    def switch(self, *, is_on: bool) -> None:
        """Bring cameras, or leave the wall alone; what was brought goes."""
        self.is_on = is_on
        self.place()

    def forget_tile(self, tile: int) -> None:
        """The operator put another camera there: the alarm counts as seen."""
        if tile == self._tile:
            self._tile = None
            self.dismiss()

    def place(self) -> None:
        """Make the wall show the camera of the alarm that is shown; call it after the wall was divided anew."""
        current = self.queue.current if self.is_on else None
        self.problem = ""
        layout = self._layout()
        if current is None:
            self._leave(layout)
            return
        if self._camera_id and self._camera_id != current.camera_id:
            layout = without_guest(layout, self._camera_id)
        self._camera_id = current.camera_id
        if current.camera_id in _seen(layout):
            self._show(layout)
            return
        tile = self._tile_for(layout, current.camera_id)
        if tile is None:
            self.problem = NO_TILE
            self._show(layout)
            return
        if layout.enlarged is not None:
            self._was_enlarged = layout.enlarged
            layout = enlarged(layout, None)
        self._show(with_guest(layout, tile, current.camera_id))

    def _turn_to(self, queue: AlarmQueue) -> None:
        self.queue = queue
        self.place()

    def _leave(self, layout: WallLayout) -> None:
        """Bring back what stood there before the first alarm."""
        if self._camera_id:
            layout = without_guest(layout, self._camera_id)
        if self._was_enlarged is not None and layout.enlarged is None and self._was_enlarged < layout.n_tiles:
            layout = enlarged(layout, self._was_enlarged)
        self._camera_id, self._tile, self._was_enlarged = "", None, None
        self._show(layout)

    def _tile_for(self, layout: WallLayout, camera_id: str) -> int | None:
        """Return where a camera that cannot be seen comes: its own tile, else one that may be taken."""
        if _is_held(layout):
            return None
        own = replace(layout, guests=()).cameras
        if camera_id in own:
            return own.index(camera_id)
        self._tile = self._tile if self._may_take(layout, self._tile) else self._least_used(layout)
        return self._tile

    def _may_take(self, layout: WallLayout, tile: int | None) -> bool:
        if tile is None or tile >= layout.n_tiles:
            return False
        own = replace(layout, guests=()).cameras[tile]
        return own is None or own not in layout.pinned

    def _least_used(self, layout: WallLayout) -> int | None:
        if self._may_take(layout, layout.alarm_tile):
            return layout.alarm_tile
        free = [tile for tile in range(layout.n_tiles) if self._may_take(layout, tile)]
        return min(free, key=lambda tile: self._importance(layout, tile), default=None)


def _is_held(layout: WallLayout) -> bool:
    """Whether the operator lets a pinned tile fill the wall."""
    return layout.enlarged is not None and layout.cameras[layout.enlarged] in layout.pinned


def _seen(layout: WallLayout) -> set[str | None]:
    cameras = layout.cameras
    return {cameras[tile] for tile in layout.visible}
