"""The scene editor: what is drawn on a camera's picture, on the live picture itself."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QTimer

from app.drafts import DraftKeeper
from app.panel import Area, Making, PanelInfo, Perspective
from app.pictures import LivePicture
from app.room import Room
from core.access.model import Role
from core.cameras.model import Camera, SceneVersion
from core.kernel.errors import ConsoleError, StaleWriteError
from core.kernel.geo import GeoPoint
from core.media.model import SourceSpec
from core.vision.dry_run_model import DryRun
from core.vision.model import Scene
from widgets.scene.editor import SceneEditor
from widgets.scene.side import SceneSide
from widgets.scene.sketch import Sketch

DRY_RUN_POLL_MS = 500


def create(room: Room) -> Making:
    """Build the forms, then the editor around them."""
    side = SceneSide()
    yield
    return _Scene(room, side)


class _Scene(SceneEditor):
    """The editor in the room: pictures only while it is seen, and what is selected elsewhere is shown here."""

    def __init__(self, room: Room, side: SceneSide) -> None:
        super().__init__(side)
        self._room = room
        self._wanted = ""
        self._placed_on_map = ""
        self._picture = LivePicture(room, "scene", self.canvas, lambda: self.camera_id, self.show_picture)
        self._picture.seen.connect(self._on_seen)
        self._dry_run_id = ""
        self._dry_run_orders = 0
        self._is_stop_wanted = False
        self._dry_run_poll = QTimer(self)
        self._dry_run_poll.setInterval(DRY_RUN_POLL_MS)
        self._dry_run_poll.timeout.connect(self._ask_dry_run)
        self._connect_room()
        self._connect_editor()
        self.set_may_edit(room.role >= Role.SUPERVISOR)
        self._on_health()
        self._on_connected()
        drafts = DraftKeeper(room, self, "scenes", Sketch, self)
        self.draft_left.connect(drafts.leave)

    def _connect_room(self) -> None:
        room, live = self._room, self._room.live
        live.cameras_changed.connect(self._on_cameras)
        live.health_changed.connect(self._on_health)
        room.role_changed.connect(self._on_role)
        room.selected.connect(self._on_selected)
        room.scene_requested.connect(self._on_scene_requested)
        room.whole_window_given.connect(lambda key: self.set_enlarged(key == "scene"))
        room.closing.connect(self._dry_run_poll.stop)
        room.connection.snapshot_received.connect(lambda _snapshot: self._on_connected())

    def _connect_editor(self) -> None:
        room = self._room
        self.camera_shown.connect(self._on_camera_shown)
        self.save_requested.connect(self._on_save_requested)
        self.versions_requested.connect(self._on_versions_requested)
        self.version_requested.connect(self._on_version_requested)
        self.position_requested.connect(self._on_position_requested)
        self.position_left.connect(lambda: room.position_wanted.emit(None))
        room.position_settled.connect(self.end_picking)
        self.room_requested.connect(lambda is_wanted: room.whole_window_requested.emit("scene", is_wanted))
        self.told.connect(room.toast)
        self.view_accepted.connect(self._on_view_accepted)
        self.dry_run_requested.connect(self._on_dry_run_requested)
        self.dry_run_stop_requested.connect(self._on_dry_run_stop)
        self.dry_run_left.connect(self._on_dry_run_left)

    def _on_role(self, role: Role) -> None:
        self.set_may_edit(role >= Role.SUPERVISOR)
        # A camera that is gone is asked about anew.
        self._on_cameras()

    def _on_cameras(self) -> None:
        live = self._room.live
        self.show_cameras(tuple(live.cameras.values()))
        if self._wanted in live.cameras and self.isVisible():
            wanted, self._wanted = self._wanted, ""
            self.follow(wanted)

    def _on_health(self) -> None:
        health = self._room.live.health
        workers = health.workers if health is not None else ()
        self.show_engine(next((worker.engine for worker in workers if worker.engine is not None), None))

    def _on_connected(self) -> None:
        # Footage is opened by the node: of its machine's files nothing can be listed here.
        self.side.dry_run.set_machine(self._room.connection.machine)

    def _on_selected(self, kind: str, item_id: str) -> None:
        if kind != "camera":
            return
        if self.isVisible():
            self.follow(item_id)
        else:
            self._wanted = item_id

    def _on_scene_requested(self, camera_id: str) -> None:
        # A camera that was added a moment ago may not have been told yet.
        self._on_cameras()
        self._wanted = "" if camera_id in self._room.live.cameras else camera_id
        self._room.panel_requested.emit("scene")
        self.open_camera(camera_id)
        self.canvas.setFocus()
        QTimer.singleShot(0, self, self._make_room)

    def _make_room(self) -> None:
        """Have the whole window where this panel's place is too small to draw in."""
        if self.isVisible() and self.is_cramped:
            self.set_enlarged(True)
            self.room_requested.emit(True)

    def _on_camera_shown(self, camera_id: str) -> None:
        self._picture.settle()
        if camera_id and self.isVisible():
            self._room.select("camera", camera_id)

    def _on_save_requested(self, camera_id: str, scene: Scene, version: int, note: str) -> None:
        def refused(error: ConsoleError) -> None:
            if isinstance(error, StaleWriteError):
                self.show_stale(error.message)
            else:
                self.show_refused(error.message, error.hint)

        self._room.ask(
            "cameras.save_scene",
            Camera,
            then=self.show_saved,
            refused=refused,
            camera_id=camera_id,
            scene=scene,
            version=version,
            note=note,
        )

    def _on_versions_requested(self, camera_id: str) -> None:
        def listed(versions: list[SceneVersion]) -> None:
            self.show_versions(camera_id, tuple(versions))

        self._room.ask("cameras.scene_versions", list[SceneVersion], then=listed, camera_id=camera_id)

    def _on_version_requested(self, camera_id: str, number: int) -> None:
        self._room.ask(
            "cameras.scene_version",
            Scene,
            then=lambda scene: self.show_version(camera_id, number, scene),
            refused=lambda error: self.show_version_refused(camera_id, error.message, error.hint),
            camera_id=camera_id,
            number=number,
        )

    def _on_position_requested(self, index: int) -> None:
        camera_id = self.camera_id

        def place(lat_deg: float, lon_deg: float) -> None:
            if self.camera_id == camera_id:
                self.show_position(index, GeoPoint(lat_deg, lon_deg))

        self._room.panel_requested.emit("map")
        self._room.select("camera", camera_id)
        camera = self._room.live.cameras.get(camera_id)
        if camera is not None and camera.position is not None and self._placed_on_map != camera_id:
            # Once: the second point is picked where the operator has moved the map to.
            self._placed_on_map = camera_id
            self._room.place_called.emit(camera.position)
        self._room.position_wanted.emit(place)

    def _on_view_accepted(self, camera_id: str) -> None:
        def accepted(_nothing: object) -> None:
            self._room.toast("The view is right.", "What the camera shows now is learned anew.")

        self._room.ask("cameras.accept_view", then=accepted, camera_id=camera_id)

    # -- dry run

    def _on_dry_run_requested(self, camera_id: str, scene: Scene, footage: str, limit_s: float) -> None:
        self._forget_dry_run()
        order = self._dry_run_orders

        def started(run_id: str) -> None:
            if order != self._dry_run_orders:
                # Whoever asked has left meanwhile.
                self._stop_dry_run(run_id)
                return
            self._dry_run_id = run_id
            self._dry_run_poll.start()
            if self._is_stop_wanted:
                self._stop_dry_run(run_id)

        def refused(error: ConsoleError) -> None:
            if order == self._dry_run_orders:
                self.side.dry_run.show_refused(error.message, error.hint)

        self._room.ask(
            "vision.dry_run",
            str,
            then=started,
            refused=refused,
            camera_id=camera_id,
            scene=scene,
            source=SourceSpec(address=footage) if footage else None,
            limit_s=limit_s,
        )

    def _ask_dry_run(self) -> None:
        run_id = self._dry_run_id

        def refused(error: ConsoleError) -> None:
            if run_id == self._dry_run_id:
                self._forget_dry_run()
                self.side.dry_run.show_refused(error.message, error.hint)

        self._room.ask("vision.dry_run_state", DryRun, then=self._on_run, refused=refused, run_id=run_id)

    def _on_run(self, run: DryRun) -> None:
        if run.run_id != self._dry_run_id:
            return
        self.side.dry_run.show_run(run)
        if run.state != "running":
            self._forget_dry_run()

    def _on_dry_run_stop(self) -> None:
        self._is_stop_wanted = True
        if self._dry_run_id:
            self._stop_dry_run(self._dry_run_id)

    def _on_dry_run_left(self) -> None:
        if self._dry_run_id:
            self._stop_dry_run(self._dry_run_id)
        self._forget_dry_run()

    def _forget_dry_run(self) -> None:
        self._dry_run_poll.stop()
        self._dry_run_orders += 1
        self._dry_run_id = ""
        self._is_stop_wanted = False

    def _stop_dry_run(self, run_id: str) -> None:
        self._room.ask("vision.dry_run_stop", run_id=run_id, refused=lambda _error: None)

    def _on_seen(self) -> None:
        wanted, self._wanted = self._wanted, ""
        first = next(iter(self._room.live.cameras), "")
        if wanted or not self.camera_id:
            QTimer.singleShot(0, self, self._opener(wanted or first, is_wanted=bool(wanted)))

    def _opener(self, camera_id: str, *, is_wanted: bool) -> Callable[[], None]:
        def open_first() -> None:
            # Somebody may have asked for a certain camera meanwhile.
            if is_wanted or not self.camera_id:
                self.follow(camera_id)

        return open_first


PANEL = PanelInfo(
    key="scene",
    title="Scene",
    create=create,
    area=Area.CENTER,
    shortcut="Ctrl+Shift+E",
    icon="scene-zone",
    answers=("scene_requested",),
    order=1,
    stack=0,
    perspectives=frozenset({Perspective.WALL, Perspective.TRAFFIC}),
)
