"""What a module of `core/gateway/http/routes` declares: its addresses, each with its limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from starlette.requests import HTTPConnection

from core.cameras.model import Camera
from core.drones.model import Drone, DroneReport, DroneState
from core.field.model import Device
from core.gateway.http.book import Sender
from core.gateway.http.guard import RouteLimits, Visit
from core.incidents.model import Alarm, Incident
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.parking.model import BayStatus, Lot, LotOccupancy


class ParkingRoom(Protocol):
    """Lots and bays as they are known now."""

    def lots(self) -> tuple[LotOccupancy, ...]:
        """Return how full every lot is."""
        ...

    def lot_plans(self) -> tuple[Lot, ...]:
        """Return every lot that was drawn."""
        ...

    def lot_plan(self, lot_id: str) -> Lot | None:
        """Return one of them."""
        ...

    def bays(self, lot_id: str) -> tuple[BayStatus, ...]:
        """Return what is known of a lot's bays."""
        ...


class DroneRoom(Protocol):
    """Drones as they are known now."""

    def drones(self) -> tuple[Drone, ...]:
        """Return every drone as it is set up."""
        ...

    def states(self) -> tuple[DroneState, ...]:
        """Return what is known of every drone."""
        ...

    def state(self, drone_id: str) -> DroneState:
        """Return what is known of one.

        Raises:
            BadInputError: There is none of that id.
        """
        ...

    def is_heard_beside(self, drone_id: str, link_id: str) -> bool:
        """Return whether a drone is heard on another link than that one."""
        ...

    def take(self, report: DroneReport) -> None:
        """Add what a source heard."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRoom:
    """What routes may use of the node.

    Attributes:
        submit: Has a lot's picture looked at: lot, camera, JPEG, when it was taken. True once it counts in the bays,
            False where a newer one came before its turn, or it is looked at elsewhere.
        submit_history: As `submit`, for a picture of the past; ends once it is in the history.
        pictures: Folder for the newest picture of each edge camera.
        has_drone_key: Whether some key that counts belongs to a drone: then nobody speaks for it without one.
        video_of: Returns the camera that shows a drone's video, which is made with its first picture.
        is_keyless: Whether drones and their viewers at an address need no key.
        on_frame: Hears of each picture that was taken in.
        on_unusable: Hears whose picture turned out to be unusable after it was answered, and why.
    """

    clock: Clock
    bus: Bus
    max_frame_bytes: int
    max_frame_pixels: int
    frames_per_s: float
    pictures: Path
    parking: ParkingRoom
    camera: Callable[[str], Camera | None]
    submit: Callable[[str, str, bytes, datetime], Awaitable[bool]]
    submit_history: Callable[[str, str, bytes, datetime], Awaitable[None]]
    devices: Callable[[], tuple[Device, ...]]
    open_alarms: Callable[[], Awaitable[tuple[Alarm, ...]]]
    recent_incidents: Callable[[int], Awaitable[tuple[Incident, ...]]]
    drones: DroneRoom
    has_drone_key: Callable[[str], bool]
    video_of: Callable[[str], Awaitable[Camera]]
    is_keyless: Callable[[str], bool] = lambda _address: False
    on_frame: Callable[[], None] = lambda: None
    on_unusable: Callable[[Sender, str], None] = lambda _sender, _sentence: None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRoute:
    """One method of one address.

    Attributes:
        method: Of HTTP, or `SOCKET`.
        path: Like "/api/parking/{lot_id}".
        endpoint: As FastAPI takes it; raises `Refused` or a `ConsoleError`.
        answer: Model of the answer; None where the endpoint makes the whole response.
        more: Passed on to FastAPI: further answers, a description of the body.
    """

    method: str
    path: str
    endpoint: Callable[..., Any]
    limits: RouteLimits
    summary: str
    answer: Any = None
    more: dict[str, Any] = field(default_factory=dict)


def reading_route(
    path: str, endpoint: Callable[..., Any], *, limits: RouteLimits, summary: str, answer: Any, **more: Any
) -> GatewayRoute:
    """Return an address that only tells; `more` is passed on to FastAPI."""
    return GatewayRoute(
        method="GET", path=path, endpoint=endpoint, limits=limits, summary=summary, answer=answer, more=more
    )


def visit_of(request: HTTPConnection) -> Visit:
    """Return who sent a request, as the guard found."""
    visit: Visit = request.scope["visit"]
    return visit
