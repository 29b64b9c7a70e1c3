"""The active profile of one link: says that we are there, and asks drones for what they do not say; never more.

Source: MAVLink, microservices "Heartbeat" and "Command"; MAV_CMD_SET_MESSAGE_INTERVAL, MAV_CMD_REQUEST_MESSAGE and, for
ArduPilot before 4.0, REQUEST_DATA_STREAM. A mission is not asked for: its transfer would end the pilot's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pymavlink.dialects.v20 import all as generated

from core.drones.mavlink import words
from core.drones.mavlink.dialect import number_of
from core.drones.mavlink.frames import START_V1, Frame
from core.drones.mavlink.voice import Voice

BEAT_EVERY_S = 1.0
ASK_AGAIN_S = 5.0
SELDOM_S = 30.0
N_TRIES = 3
"""In the new way; then once in the old one, and seldom from then on."""

SILENT_S = 10.0
"""Nothing is sent to whom nobody has heard for so long."""

MAX_TARGETS = 255
MISSED_INTERVALS = 3.0
LEAST_MISSED_S = 3.0

HEARTBEAT: Final = number_of("HEARTBEAT")
_TYPE_OFFSET, _AUTOPILOT_OFFSET = 4, 5


class BeatAs(StrEnum):
    """As what we say that we are there."""

    COMPANION = "companion"
    """A computer that goes along: no failsafe takes it for the pilot's station."""

    GROUND_STATION = "ground_station"
    """As the pilot's station does: a drone may then no longer notice that the pilot's own is lost."""


_BEATS = {
    BeatAs.COMPANION: (generated.MAV_TYPE_ONBOARD_CONTROLLER, generated.MAV_COMP_ID_ONBOARD_COMPUTER),
    BeatAs.GROUND_STATION: (generated.MAV_TYPE_GCS, generated.MAV_COMP_ID_MISSIONPLANNER),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A message that a display needs.

    Attributes:
        number: Of the message.
        every_s: How often; None for once.
        stream: Of `MAV_DATA_STREAM`, where older autopilots say it; None for none.
    """

    number: int
    every_s: float | None
    stream: int | None = None

    def is_missing(self, heard_s: float | None, now_s: float) -> bool:
        """Return whether it has to be asked for, by when it was heard last."""
        if heard_s is None:
            return True
        return self.every_s is not None and now_s - heard_s > max(LEAST_MISSED_S, MISSED_INTERVALS * self.every_s)


def _wishes(*rows: tuple[str, float | None, int | None]) -> tuple[Wish, ...]:
    return tuple(Wish(number=number_of(name), every_s=every_s, stream=stream) for name, every_s, stream in rows)


OF_AUTOPILOTS = _wishes(
    ("GLOBAL_POSITION_INT", 0.25, generated.MAV_DATA_STREAM_POSITION),
    ("ATTITUDE", 0.2, generated.MAV_DATA_STREAM_EXTRA1),
    ("VFR_HUD", 0.5, generated.MAV_DATA_STREAM_EXTRA2),
    ("SYS_STATUS", 1.0, generated.MAV_DATA_STREAM_EXTENDED_STATUS),
    ("GPS_RAW_INT", 1.0, generated.MAV_DATA_STREAM_EXTENDED_STATUS),
    ("EXTENDED_SYS_STATE", 1.0, None),
    ("BATTERY_STATUS", 2.0, generated.MAV_DATA_STREAM_EXTRA3),
    ("MISSION_CURRENT", 1.0, generated.MAV_DATA_STREAM_EXTENDED_STATUS),
    ("VIBRATION", 2.0, generated.MAV_DATA_STREAM_EXTRA3),
    ("HOME_POSITION", None, None),
    ("AUTOPILOT_VERSION", None, None),
)
OF_CAMERAS = _wishes(("VIDEO_STREAM_INFORMATION", None, None), ("CAMERA_FOV_STATUS", 1.0, None))
OF_GIMBALS = _wishes(("GIMBAL_DEVICE_ATTITUDE_STATUS", 0.5, None))
_BY_TYPE = {
    generated.MAV_TYPE_CAMERA: OF_CAMERAS,
    generated.MAV_TYPE_GIMBAL: OF_GIMBALS,
}


@dataclass(slots=True)
class _Target:
    """One component that can be asked.

    Attributes:
        asked: How often and when last [s], by message number.
    """

    path: str
    system: int
    component: int
    heard_s: float = 0.0
    is_v1: bool = False
    wishes: tuple[Wish, ...] = ()
    heard: dict[int, float] = field(default_factory=dict)
    asked: dict[int, tuple[int, float]] = field(default_factory=dict)


class Asking:
    """Decides what goes out on one link while its active profile is on.

    Threads: the node's loop.
    """

    def __init__(self, *, system: int, beat_as: BeatAs, key: bytes | None = None, is_stream: bool = False) -> None:
        """Begin.

        Args:
            system: Our own number, which no drone on the link may have.
            beat_as: As what we say that we are there.
            key: Signs what goes out; None where the link does not sign.
            is_stream: The other side is there also where nobody was heard yet.
        """
        self._system = system
        self._type, self._component = _BEATS[beat_as]
        self._key = key
        self._is_stream = is_stream
        self._targets: dict[tuple[str, int, int], _Target] = {}
        self._voices: dict[str, Voice] = {}
        self._beat_s = float("-inf")
        self.is_number_taken = False
        """Somebody on the link speaks under our number."""

    def note(self, frames: Iterable[Frame], now_s: float, path: str) -> None:
        """Hear what came, so that only what is missing is asked for."""
        for frame in frames:
            if frame.system == self._system:
                self.is_number_taken = True
                continue
            key = (path, frame.system, frame.component)
            target = self._targets.get(key)
            if target is None:
                if len(self._targets) >= MAX_TARGETS:
                    continue
                target = self._targets[key] = _Target(path, frame.system, frame.component)
            target.heard_s, target.heard[frame.message_id] = now_s, now_s
            target.is_v1 = frame.raw[0] == START_V1
            if frame.message_id == HEARTBEAT and not target.wishes:
                target.wishes = _wishes_for(frame)

    def due(self, now_s: float, newest_10us: int = 0) -> list[tuple[str, bytes]]:
        """Return what is to be sent now, by path: a heartbeat each second, and one question at most to each path.

        Args:
            now_s: Of the monotonic clock.
            newest_10us: Newest time that a signature on this link had.
        """
        self._forget_silent(now_s)
        if now_s - self._beat_s >= BEAT_EVERY_S:
            self._beat_s = now_s
            for path, is_v1 in self._paths().items():
                self._voice(path, newest_10us).mav.heartbeat_send(
                    self._type,
                    generated.MAV_AUTOPILOT_INVALID,
                    0,
                    0,
                    generated.MAV_STATE_ACTIVE,
                    force_mavlink1=self._is_plain(is_v1),
                )
        busy: set[str] = set()
        for target in self._targets.values():
            # A slow radio has room for a few questions a second.
            if target.path not in busy and self._ask(target, now_s, newest_10us):
                busy.add(target.path)
        return [(path, packet) for path, voice in self._voices.items() for packet in voice.take()]

    def _paths(self) -> dict[str, bool]:
        found = {target.path: target.is_v1 for target in self._targets.values() if target.wishes}
        return found or ({"": False} if self._is_stream else {})

    def _is_plain(self, is_v1: bool) -> bool:
        """Return whether to speak version 1: a drone that hears version 2 would change to it."""
        return is_v1 and self._key is None

    def _voice(self, path: str, newest_10us: int) -> Voice:
        voice = self._voices.get(path)
        if voice is None:
            voice = self._voices[path] = Voice(self._system, self._component, key=self._key)
        voice.be_later_than(newest_10us)
        return voice

    def _forget_silent(self, now_s: float) -> None:
        for key in [key for key, target in self._targets.items() if now_s - target.heard_s > SILENT_S]:
            del self._targets[key]
        paths = {target.path for target in self._targets.values()} | ({""} if self._is_stream else set())
        for path in self._voices.keys() - paths:
            del self._voices[path]

    def _ask(self, target: _Target, now_s: float, newest_10us: int) -> bool:
        for wish in target.wishes:
            n_asked, asked_s = target.asked.get(wish.number, (0, float("-inf")))
            wait_s = ASK_AGAIN_S if n_asked <= N_TRIES else SELDOM_S
            if now_s - asked_s < wait_s or not wish.is_missing(target.heard.get(wish.number), now_s):
                continue
            target.asked[wish.number] = (n_asked + 1, now_s)
            self._say(target, wish, self._voice(target.path, newest_10us), is_old_way=n_asked == N_TRIES)
            return True
        return False

    def _say(self, target: _Target, wish: Wish, voice: Voice, *, is_old_way: bool) -> None:
        plain = self._is_plain(target.is_v1)
        to = (target.system, target.component)
        if is_old_way and wish.stream is not None:
            rate_hz = max(1, round(1.0 / (wish.every_s or 1.0)))
            voice.mav.request_data_stream_send(*to, wish.stream, rate_hz, 1, force_mavlink1=plain)
            return
        if wish.every_s is None:
            command, figures = generated.MAV_CMD_REQUEST_MESSAGE, (wish.number, 0.0)
        else:
            command, figures = generated.MAV_CMD_SET_MESSAGE_INTERVAL, (wish.number, wish.every_s * 1e6)
        voice.mav.command_long_send(*to, command, 0, *figures, 0, 0, 0, 0, 0, force_mavlink1=plain)


def _wishes_for(heartbeat: Frame) -> tuple[Wish, ...]:
    kind = heartbeat.byte(_TYPE_OFFSET)
    if heartbeat.byte(_AUTOPILOT_OFFSET) != words.NO_AUTOPILOT and kind != generated.MAV_TYPE_GCS:
        return OF_AUTOPILOTS
    return _BY_TYPE.get(kind, ())
