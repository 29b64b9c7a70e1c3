"""Drones of others, as they say themselves by Remote ID and a receiver of ours passes on: claimed, and never verified.

Source: OPEN_DRONE_ID_* of common.xml, which are ASTM F3411 as MAVLink carries it; what each field uses for "unknown"
stands there. A transponder that speaks of its own drone names no address: what it says is the drone's own telemetry.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from core.drones.mavlink.dialect import decode, number_of
from core.drones.mavlink.frames import Frame
from core.drones.model import DroneReport, Landed, StatusText, TextLevel
from core.kernel.geo import GeoPoint

OTHER_PREFIX: Final = "rid-"
MAX_HEARD = 100
"""Transponders that are heard on one link at once."""

FORGOTTEN_S = 600.0
NO_DIRECTION, NO_SPEED, NO_CLIMB, NO_HEIGHT_M = 36_100, 25_500, 6_300, -1_000.0
_ADDRESS_BYTES = 20
_GROUND, _AIR = 1, 2
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(slots=True)
class _Heard:
    """One transponder."""

    at: datetime
    uas_id: str = ""
    operator: GeoPoint | None = None
    told_operator: GeoPoint | None = None
    parts: dict[str, Any] = field(default_factory=dict)


class RemoteIds:
    """What the transponders of others say on one link.

    Threads: the node's loop.
    """

    def __init__(self, link_id: str) -> None:
        """Know nobody."""
        self._link_id = link_id
        self._heard: dict[bytes, _Heard] = {}
        self.n_beyond = 0

    def take(self, frame: Frame, at: datetime) -> None:
        """Note what a transponder said."""
        message = decode(frame)
        if message is None:
            return
        address = bytes(message.id_or_mac)
        # Nobody's address: one of our own drones feeds its transponder.
        if not any(address):
            return
        heard = self._heard.get(address)
        if heard is None:
            self._forget(at)
            if len(self._heard) >= MAX_HEARD:
                self.n_beyond += 1
                return
            heard = self._heard[address] = _Heard(at)
        heard.at = at
        _READERS[frame.message_id](message, heard)

    def flush(self) -> list[DroneReport]:
        """Return what is new of those whose id is known."""
        return [self._report(heard) for heard in self._heard.values() if heard.parts and heard.uas_id]

    def _report(self, heard: _Heard) -> DroneReport:
        parts, heard.parts = heard.parts, {}
        texts: tuple[StatusText, ...] = ()
        if heard.operator is not None and heard.operator != heard.told_operator:
            heard.told_operator, place = heard.operator, heard.operator
            said = f"Its operator says to be at {place.lat_deg:.5f}, {place.lon_deg:.5f}; nobody verified it."
            texts = (StatusText(level=TextLevel.NOTICE, text=said, at=heard.at, first_at=heard.at),)
        return DroneReport(
            drone_id=f"{OTHER_PREFIX}{_UNFIT.sub('-', heard.uas_id)}",
            link_id=self._link_id,
            at=heard.at,
            path="Remote ID",
            name=f"Not verified: {heard.uas_id}",
            kind="Drone of others, by Remote ID",
            is_other=True,
            texts=texts,
            **parts,
        )

    def _forget(self, now: datetime) -> None:
        gone = [key for key, heard in self._heard.items() if (now - heard.at).total_seconds() > FORGOTTEN_S]
        for key in gone:
            del self._heard[key]


def _basic_id(m: Any, heard: _Heard) -> None:
    text = bytes(m.uas_id).split(b"\x00")[0].decode("ascii", "replace").strip()
    if m.id_type and text.isprintable():
        heard.uas_id = text[:_ADDRESS_BYTES]


def _location(m: Any, heard: _Heard) -> None:
    values = {
        "course_deg": None if m.direction >= NO_DIRECTION else m.direction / 100.0,
        "ground_speed_mps": None if m.speed_horizontal >= NO_SPEED else m.speed_horizontal / 100.0,
        "climb_mps": None if m.speed_vertical >= NO_CLIMB else m.speed_vertical / 100.0,
        # From the ground or from where it took off: which of them it says itself.
        "altitude_ground_m" if m.height_reference else "altitude_home_m": _height(m.height),
        "altitude_pressure_m": _height(m.altitude_barometric),
    }
    heard.parts["values"] = {key: value for key, value in values.items() if value is not None}
    heard.parts["position"] = _place(m.latitude, m.longitude)
    heard.parts["landed"] = {_GROUND: Landed.GROUND, _AIR: Landed.AIR}.get(m.status)


def _system(m: Any, heard: _Heard) -> None:
    heard.operator = _place(m.operator_latitude, m.operator_longitude)


def _height(height_m: float) -> float | None:
    return None if height_m <= NO_HEIGHT_M else height_m


def _place(lat_e7: int, lon_e7: int) -> GeoPoint | None:
    try:
        return GeoPoint(lat_e7 / 1e7, lon_e7 / 1e7) if lat_e7 or lon_e7 else None
    except ValueError:
        return None


_READERS: dict[int, Callable[[Any, _Heard], None]] = {
    number_of("OPEN_DRONE_ID_BASIC_ID"): _basic_id,
    number_of("OPEN_DRONE_ID_LOCATION"): _location,
    number_of("OPEN_DRONE_ID_SYSTEM"): _system,
}
REMOTE_ID = frozenset(_READERS)
