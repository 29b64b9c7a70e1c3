"""Where every drone is, for other systems: once a second, whatever link it is heard on.

`watchfloor/v1/{tenant}/fleet/{drone}/tele/state` holds a `DroneState` of what is known now. What is old is left out: a
system that hears no position knows that there is none.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from core.drones.model import (
    GNSS_STALE_S,
    POSITION_STALE_S,
    Drone,
    DroneState,
    LinkHealth,
    is_stale,
)
from core.field.kinds.drone import PAYLOAD, STREAM
from core.field.payloads import Envelope, write
from core.field.topics import FLEET_GROUP, Channel, DeviceTopic, build
from core.gateway.adapter import Publish
from core.kernel.ids import new_id
from core.node.camera_flow import slug

EXPIRY_S = 10.0
_QUANTITIES = (
    "altitude_amsl_m",
    "altitude_home_m",
    "roll_deg",
    "pitch_deg",
    "heading_deg",
    "course_deg",
    "ground_speed_mps",
    "air_speed_mps",
    "climb_mps",
    "temperature_c",
    "wind_speed_mps",
    "wind_from_deg",
)


class DroneTopics:
    """Publishes drones.

    Threads: the node's loop.
    """

    def __init__(self, *, tenant: str, boot: str, publish: Publish) -> None:
        """Say nothing yet."""
        self._tenant, self._boot, self._publish = tenant, boot, publish
        self._news: dict[str, DroneState] = {}
        self._seq = 0

    def note(self, states: tuple[DroneState, ...]) -> None:
        """These are otherwise than before; newest wins."""
        self._news.update({state.drone_id: state for state in states})

    def tell(self, drones: dict[str, Drone], now: datetime) -> None:
        """Publish what is new; call it once a second."""
        news, self._news = self._news, {}
        for drone_id, state in news.items():
            drone = drones.get(drone_id)
            # Only what is the room's own is told as its fleet.
            if drone is not None and drone.is_other:
                continue
            topic = DeviceTopic(
                tenant=self._tenant, group=FLEET_GROUP, device=slug(drone_id), channel=Channel.TELE, stream=STREAM
            )
            self._seq += 1
            envelope = Envelope(
                id=new_id(),
                type=PAYLOAD,
                ts=now,
                boot=self._boot,
                seq=self._seq,
                data=data_of(drone, state, now),
            )
            self._publish(build(topic), write(envelope), expiry_s=EXPIRY_S)


def data_of(drone: Drone | None, state: DroneState, now: datetime) -> dict[str, Any]:
    """Return what is known of a drone now, in the names of the kind `drone`, and its id, name, link and mode."""
    data: dict[str, Any] = {
        "droneId": state.drone_id,
        "name": drone.name if drone is not None else state.drone_id,
        "link": state.health.value,
    }
    if state.health is LinkHealth.LOST:
        return data
    if state.position is not None and not is_stale(state.position.at, now, POSITION_STALE_S):
        data |= {"lat": state.position.point.lat_deg, "lon": state.position.point.lon_deg}
        if state.position.accuracy_m is not None:
            data["accuracy"] = state.position.accuracy_m
    data |= {key: value for key in _QUANTITIES if (value := state.fresh(key, now)) is not None}
    charge = state.fresh_battery_percent(now)
    if charge is not None:
        data["battery"] = charge
    receivers = [one for one in state.gnss if not is_stale(one.at, now, GNSS_STALE_S) and one.n_satellites is not None]
    if receivers:
        data["satellites"] = max(one.n_satellites or 0 for one in receivers)
    if state.home is not None:
        data |= {"homeLat": state.home.point.lat_deg, "homeLon": state.home.point.lon_deg}
    armed, landed, mode = state.fresh_armed(now), state.fresh_landed(now), state.fresh_mode(now)
    if armed is not None:
        data["armed"] = armed
    if landed is not None:
        data["landed"] = landed.value
    if mode:
        data["mode"] = mode
    return data
