"""Bays: draw a lot on cameras' pictures, on its plan and on the map, and calibrate how its cameras see it."""

from __future__ import annotations

from functools import partial

from app.basemap import basemap_of
from app.calibrating import CalibrationWatch
from app.drafts import DraftKeeper
from app.panel import Area, Making, PanelInfo, Perspective
from app.pictures import LivePicture
from app.room import Room
from app.sight_notes import SightNotes
from core.access.model import Role
from core.kernel.errors import ConsoleError, StaleWriteError
from core.kernel.geo import GeoPoint
from core.parking.model import Lot, LotVersion
from widgets.map.tile_source import open_tiles
from widgets.parking.editor import BayEditor
from widgets.parking.gates_form import CameraLine
from widgets.parking.side import BaySide


def create(room: Room) -> Making:
    """Build the forms, then the editor around them."""
    side = BaySide()
    yield
    return _Bays(room, side)


class _Bays(BayEditor):
    """The editor in the room: pictures only while it is seen."""

    def __init__(self, room: Room, side: BaySide) -> None:
        super().__init__(side)
        self._room = room
        self._picture = LivePicture(room, "bays", self.canvas, lambda: self.camera_id, self.show_picture)
        self._picture.seen.connect(self._on_seen)
        self._calibrating = CalibrationWatch(room, self.show_calibration, self)
        self._notes = SightNotes(room, self.side.view, lambda: self.lot_id, self.side.view.show_notes)
        self._drafts: DraftKeeper[Lot] | None = None
        self._connect_room()
        self._connect_editor()
        self._on_site()
        self._on_cameras()
        self._on_lots()
        self.set_may_edit(room.role >= Role.SUPERVISOR)
        self._drafts = DraftKeeper(room, self, "lots", Lot, self)
        self.draft_left.connect(self._drafts.leave)
        room.role_changed.connect(lambda _role: self._offer_new_lots())

    def _connect_room(self) -> None:
        room, live = self._room, self._room.live
        for changed in (live.lot_plans_changed, live.lots_changed):
            changed.connect(self._on_lots)
        live.lot_plans_changed.connect(self._offer_new_lots)
        live.cameras_changed.connect(self._on_cameras)
        live.streams_changed.connect(self._on_streams)
        room.role_changed.connect(self._on_role)
        room.connection.snapshot_received.connect(lambda _snapshot: self._on_site())
        room.selected.connect(self._on_selected)
        room.whole_window_given.connect(lambda key: self.set_enlarged(key == "bays"))
        room.closing.connect(self.background.close)

    def _connect_editor(self) -> None:
        room = self._room
        self.place_shown.connect(lambda _camera_id: self._picture.settle())
        self.save_requested.connect(self._on_save_requested)
        self.removal_requested.connect(lambda lot_id: room.ask("parking.remove_lot", lot_id=lot_id))
        self.versions_requested.connect(self._on_versions_requested)
        self.version_requested.connect(self._on_version_requested)
        self.calibrate_requested.connect(self._calibrating.start)
        self.side.view.stop_requested.connect(self._calibrating.stop)
        self.room_requested.connect(lambda is_wanted: room.whole_window_requested.emit("bays", is_wanted))
        self.told.connect(room.toast)

    def _on_role(self, role: Role) -> None:
        self.set_may_edit(role >= Role.SUPERVISOR)
        # A lot that is gone is asked about anew.
        self._on_lots()

    def _on_lots(self) -> None:
        live = self._room.live
        devices = live.devices
        counted = {key: devices[key].name if key in devices else key for key in live.lots if key not in live.lot_plans}
        self.show_lots(live.lot_plans, counted)
        self.show_faults({key: lot.faults for key, lot in live.lots.items()})
        if not self.lot_id and live.lot_plans and self.canvas.isVisible():
            self.open_lot(next(iter(live.lot_plans)))

    def _offer_new_lots(self) -> None:
        """A lot that was never saved cannot be opened: its draft is offered as soon as the editor is seen."""
        is_known = self._room.connection.site is not None
        if self._drafts is None or not (is_known and self.may_edit and self.canvas.isVisible()):
            return
        if self.notice.text or self.is_dirty:
            return
        for left in self._drafts.left_beside(self._room.live.lot_plans):
            self.offer_new_lot(left.kept, partial(self._drafts.hear, left))
            return

    def _on_cameras(self) -> None:
        cameras = self._room.live.cameras
        self.show_cameras({key: camera.name for key, camera in cameras.items()})
        self.side.lot.gates.show_lines(
            [
                CameraLine(
                    camera_id=key,
                    camera_name=camera.name,
                    line_key=line.key,
                    line_name=line.name,
                    forward_name=line.forward_name,
                    backward_name=line.backward_name,
                )
                for key, camera in cameras.items()
                for line in camera.scene.lines
                if line.counts_vehicles
            ]
        )

    def _on_streams(self) -> None:
        reports = self._room.live.streams.values()
        self.show_sizes({one.camera_id: (one.width, one.height) for one in reports if one.width and one.height})

    def _on_site(self) -> None:
        site = self._room.connection.site
        if site is not None:
            self.set_home(GeoPoint(*site.center) if site.center is not None else None)
            path = basemap_of(site)
            self.background.set_source((lambda: open_tiles(path)) if path is not None else None)

    def _on_selected(self, kind: str, item_id: str) -> None:
        if kind == "lot" and not self.is_dirty and self.isVisible():
            self.open_lot(item_id)

    def _on_seen(self) -> None:
        if not self.lot_id:
            self._on_lots()
        self._offer_new_lots()

    def _on_save_requested(self, lot: Lot, note: str) -> None:
        def refused(error: ConsoleError) -> None:
            if isinstance(error, StaleWriteError):
                self.show_stale(error.message)
            else:
                self.show_refused(error.message, error.hint)

        self._room.ask("parking.save_lot", Lot, then=self.show_saved, refused=refused, lot=lot, note=note)

    def _on_versions_requested(self, lot_id: str) -> None:
        def listed(versions: list[LotVersion]) -> None:
            self.show_versions(lot_id, versions)

        self._room.ask("parking.versions", list[LotVersion], then=listed, lot_id=lot_id)

    def _on_version_requested(self, lot_id: str, number: int) -> None:
        self._room.ask(
            "parking.version",
            Lot,
            then=lambda lot: self.show_version(lot_id, number, lot),
            refused=lambda error: self.show_version_refused(lot_id, error.message, error.hint),
            lot_id=lot_id,
            number=number,
        )


PANEL = PanelInfo(
    key="bays",
    title="Bays",
    create=create,
    area=Area.CENTER,
    shortcut="Ctrl+Shift+B",
    icon="bay",
    order=3,
    stack=0,
    perspectives=frozenset({Perspective.PARKING}),
)
