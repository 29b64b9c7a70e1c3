"""Incidents: who works on what, how long it takes, and what became of it."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from app.panel import Area, PanelInfo, Perspective
from app.room import Room
from core.access.model import Colleague
from core.incidents.model import Incident, SourceKind
from core.incidents.work import HandIncident, IncidentDetail, StepOrder
from core.kernel.errors import ConsoleError
from core.kernel.geo import GeoPoint
from core.node.cap_door import Published
from widgets.alarms.detail import why_no_picture
from widgets.base.times import format_clock
from widgets.incidents.board import IncidentBoard


def create(room: Room) -> QWidget:
    """Build the board and connect it."""
    return _connect(IncidentBoard(room.clock), room)


def _connect(board: IncidentBoard, room: Room) -> QWidget:
    live = room.live

    def ask_detail(incident_id: str) -> None:
        room.ask(
            "incidents.detail",
            IncidentDetail,
            then=board.show_detail,
            refused=lambda _error: None,
            incident_id=incident_id,
        )

    def refresh_detail() -> None:
        current = board.current
        if current is not None and board.isVisible() and room.connection.session is not None:
            ask_detail(current.incident_id)

    looked_after: dict[str, str] = {}

    def tell_what_is_given(me: str) -> None:
        """Say so where somebody else gave this operator an incident."""
        for incident in live.incidents.values():
            before = looked_after.get(incident.incident_id)
            looked_after[incident.incident_id] = incident.operator
            if before in (None, incident.operator) or incident.operator != me or incident.is_closed:
                continue
            if incident.incident_id in taken:
                taken.discard(incident.incident_id)
                continue
            room.toast(f"{incident.title} was given to you.", "It stands in Incidents.")

    def on_incidents() -> None:
        session = room.connection.session
        tell_what_is_given(session.user.name if session else "")
        board.show_incidents(live.incidents)
        refresh_detail()

    def on_alarms() -> None:
        board.show_alarms(live.open_alarms())
        refresh_detail()

    def on_picture(incident_id: str) -> None:
        room.ask(
            "incidents.snapshot",
            bytes,
            then=lambda content: board.show_picture(incident_id, content),
            refused=lambda error: board.show_no_picture(incident_id, why_no_picture(error)),
            incident_id=incident_id,
        )

    taken: set[str] = set()
    """What was taken here: nobody has to be told."""

    def on_step(incident_id: str, order: StepOrder, version: int) -> None:
        session = room.connection.session
        if session is not None and order.operator == session.user.name:
            taken.add(incident_id)

        def refused(error: ConsoleError) -> None:
            taken.discard(incident_id)
            board.say(f"{error.message} {error.hint}".strip())

        def done(incident: Incident) -> None:
            if incident.is_closed:
                room.ask(
                    "incidents.detail",
                    IncidentDetail,
                    then=remind,
                    refused=lambda _error: None,
                    incident_id=incident_id,
                )

        # The row changes when the committed event comes back, here as on every other console.
        room.ask(
            "incidents.step",
            Incident,
            then=done,
            refused=refused,
            incident_id=incident_id,
            order=order,
            version=version,
        )

    def remind(detail: IncidentDetail) -> None:
        """Say of what was just closed that others still believe it."""
        told = detail.published
        if told is not None and told.until > room.clock.now():
            until = format_clock(told.until)
            room.toast(
                f"{detail.incident.title} is closed, and still published as CAP until {until}.",
                "P takes it back: it stands among the closed incidents.",
            )

    def on_open(wanted: HandIncident) -> None:
        def refused(error: ConsoleError) -> None:
            board.say(f"{error.message} {error.hint}".strip())

        room.ask(
            "incidents.open",
            Incident,
            then=lambda incident: board.select(incident.incident_id),
            refused=refused,
            wanted=wanted,
        )

    def ask_colleagues() -> None:
        room.ask("incidents.assignees", list[Colleague], then=board.show_colleagues, refused=lambda _error: None)

    def on_publish(incident_id: str) -> None:
        def done(sent: Published) -> None:
            board.say(f"{sent.msg_type} ({sent.status}) was sent to {' and '.join(sent.places)}.")

        def refused(error: ConsoleError) -> None:
            board.say(f"{error.message} {error.hint}".strip())

        room.ask("incidents.publish", Published, then=done, refused=refused, incident_id=incident_id)

    def change_unit(verb: str, **args: Any) -> None:
        room.ask(
            verb,
            then=lambda _unit: board.say_of_units(""),
            refused=lambda error: board.say_of_units(f"{error.message} {error.hint}".strip()),
            **args,
        )

    def on_selected(kind: str, item_id: str) -> None:
        if kind == "incident":
            board.select(item_id)
        elif kind == "camera":
            board.set_camera_at_hand(item_id)

    def on_pick() -> None:
        room.panel_requested.emit("map")
        room.position_wanted.emit(lambda lat_deg, lon_deg: board.show_position(GeoPoint(lat_deg, lon_deg)))

    def on_role(_role: object) -> None:
        session = room.connection.session
        board.show_role(room.role, session.user.name if session else "")

    live.incidents_changed.connect(on_incidents)
    live.alarms_changed.connect(on_alarms)
    live.units_changed.connect(lambda: board.show_units(live.units))
    live.cameras_changed.connect(lambda: board.show_cameras({key: camera.name for key, camera in live.cameras.items()}))
    room.role_changed.connect(on_role)
    room.node_lost.connect(board.show_stale)
    room.node_back.connect(board.show_current)
    room.selected.connect(on_selected)
    board.duty_requested.connect(lambda unit_id, duty: change_unit("units.set_duty", unit_id=unit_id, duty=duty))
    board.unit_requested.connect(lambda unit, version: change_unit("units.save", unit=unit, version=version))
    room.incident_form_requested.connect(board.begin_form)
    board.detail_requested.connect(ask_detail)
    board.picture_requested.connect(on_picture)
    board.step_requested.connect(on_step)
    board.open_requested.connect(on_open)
    board.assignees_requested.connect(ask_colleagues)
    board.publish_requested.connect(on_publish)
    board.pick_requested.connect(on_pick)
    board.goto_requested.connect(lambda incident: _go_to(room, incident))
    on_role(None)
    return board


def _go_to(room: Room, incident: Incident) -> None:
    """Bring the camera to the wall and the place to the middle of the map."""
    if incident.source_kind is SourceKind.CAMERA:
        room.select("camera", incident.source_id)
        room.camera_called.emit(incident.source_id, False)
        room.panel_requested.emit("wall")
    if incident.position is not None:
        room.place_called.emit(incident.position)
        room.panel_requested.emit("map")


PANEL = PanelInfo(
    key="incidents",
    title="Incidents",
    create=create,
    area=Area.CENTER,
    shortcut="Ctrl+Shift+I",
    icon="warning",
    answers=("incident_form_requested",),
    order=2,
    perspectives=frozenset({Perspective.OVERVIEW, Perspective.ALARMS, Perspective.TRAFFIC}),
    leads=frozenset({Perspective.ALARMS}),
)
