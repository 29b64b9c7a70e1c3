"""What numbers of MAVLink mean in words: modes of PX4, of ArduPilot and the standard ones, kinds of aircraft, parts."""

from __future__ import annotations

from typing import Final

from core.drones.mavlink.dialect import enum_words

ARDUPILOT: Final = 3
PX4: Final = 12
NO_AUTOPILOT: Final = 8
"""MAV_AUTOPILOT_INVALID: a ground station, a radio, a camera; never a drone."""

CUSTOM_MODE_ENABLED: Final = 0x01
ARMED: Final = 0x80

_COPTERS = frozenset({2, 3, 4, 13, 14, 15, 29, 35})
_PLANES = frozenset({1, 7, 8, 19, 20, 21, 22, 23, 24, 25, 28})
_ROVERS = frozenset({10, 11})
_SUBS = frozenset({12})

COPTER_MODES = {
    0: "Stabilize",
    1: "Acro",
    2: "Altitude hold",
    3: "Auto",
    4: "Guided",
    5: "Loiter",
    6: "Return (RTL)",
    7: "Circle",
    8: "Position",
    9: "Land",
    10: "Optical-flow loiter",
    11: "Drift",
    13: "Sport",
    14: "Flip",
    15: "Autotune",
    16: "Position hold",
    17: "Brake",
    18: "Throw",
    19: "Avoid traffic",
    20: "Guided without GNSS",
    21: "Smart return (RTL)",
    22: "Flow hold",
    23: "Follow",
    24: "Zigzag",
    25: "System identification",
    26: "Autorotate",
    27: "Auto return (RTL)",
    28: "Turtle",
    29: "Acro by rate",
}
PLANE_MODES = {
    0: "Manual",
    1: "Circle",
    2: "Stabilize",
    3: "Training",
    4: "Acro",
    5: "Fly by wire A",
    6: "Fly by wire B",
    7: "Cruise",
    8: "Autotune",
    10: "Auto",
    11: "Return (RTL)",
    12: "Loiter",
    13: "Take-off",
    14: "Avoid traffic",
    15: "Guided",
    16: "Initialising",
    17: "Hover stabilize",
    18: "Hover hold",
    19: "Hover loiter",
    20: "Hover land",
    21: "Hover return (RTL)",
    22: "Hover autotune",
    23: "Hover acro",
    24: "Thermal",
    25: "Loiter to hover land",
    26: "Autoland",
}
ROVER_MODES = {
    0: "Manual",
    1: "Acro",
    2: "Learning",
    3: "Steering",
    4: "Hold",
    5: "Loiter",
    6: "Follow",
    7: "Simple",
    8: "Dock",
    9: "Circle",
    10: "Auto",
    11: "Return (RTL)",
    12: "Smart return (RTL)",
    15: "Guided",
    16: "Initialising",
}
SUB_MODES = {
    0: "Stabilize",
    1: "Acro",
    2: "Depth hold",
    3: "Auto",
    4: "Guided",
    7: "Circle",
    9: "Surface",
    16: "Position hold",
    19: "Manual",
    20: "Motor detection",
    21: "Surface tracking",
}
PX4_MODES = {
    1: "Manual",
    2: "Altitude",
    3: "Position",
    4: "Auto",
    5: "Acro",
    6: "Offboard",
    7: "Stabilized",
    8: "Rattitude",
    9: "Simple",
    10: "Termination",
    11: "Altitude cruise",
}
PX4_AUTO_MODES = {
    1: "Ready",
    2: "Take-off",
    3: "Hold",
    4: "Mission",
    5: "Return",
    6: "Land",
    7: "Return to ground station",
    8: "Follow",
    9: "Precision land",
    10: "Hover take-off",
}
_PX4_AUTO = 4
STANDARD_MODES = {
    1: "Position hold",
    2: "Orbit",
    3: "Cruise",
    4: "Altitude hold",
    5: "Safe return",
    6: "Mission",
    7: "Land",
    8: "Take-off",
}
_BY_HAND = frozenset(
    {
        "Stabilize",
        "Acro",
        "Acro by rate",
        "Altitude hold",
        "Sport",
        "Drift",
        "Flip",
        "Position hold",
        "Position",
        "Manual",
        "Training",
        "Fly by wire A",
        "Fly by wire B",
        "Altitude",
        "Stabilized",
        "Rattitude",
        "Simple",
        "Steering",
        "Turtle",
        "Depth hold",
        "Hover stabilize",
        "Hover hold",
        "Hover acro",
        "Flow hold",
        "Optical-flow loiter",
        "Loiter",
        "Hover loiter",
        "Throw",
        "Cruise",
        "Altitude cruise",
        "Zigzag",
    }
)

KINDS = {**enum_words("MAV_TYPE", "MAV_TYPE_"), 0: "aircraft"}
AUTOPILOTS = {ARDUPILOT: "ArduPilot", PX4: "PX4"}
_EXTENSION_BIT = 0x80000000
PARTS = {
    bit: name.removeprefix("sensor ")
    for bit, name in enum_words("MAV_SYS_STATUS_SENSOR", "MAV_SYS_STATUS_").items()
    if bit != _EXTENSION_BIT
}
BATTERY_FAULTS = enum_words("MAV_BATTERY_FAULT", "MAV_BATTERY_FAULT_")
CHARGES = {**enum_words("MAV_BATTERY_CHARGE_STATE", "MAV_BATTERY_CHARGE_STATE_"), 0: ""}
MISSION_STATES = {**enum_words("MISSION_STATE", "MISSION_STATE_"), 0: ""}


def kind_of(mav_type: int) -> str:
    """Return what kind of aircraft it is, e.g. "Quadrotor"."""
    return KINDS.get(mav_type, f"type {mav_type}").capitalize()


def autopilot_of(autopilot: int) -> str:
    """Return whose autopilot it is."""
    return AUTOPILOTS.get(autopilot, f"Autopilot {autopilot}")


def mode_of(*, autopilot: int, mav_type: int, base_mode: int, custom_mode: int) -> str:
    """Return the mode in the words of its autopilot; an unknown number is said as one."""
    if not base_mode & CUSTOM_MODE_ENABLED:
        return _base_mode(base_mode)
    if autopilot == PX4:
        return _px4_mode(custom_mode)
    if autopilot == ARDUPILOT:
        table = _ardupilot_table(mav_type)
        if table is not None and custom_mode in table:
            return table[custom_mode]
    return f"Mode {custom_mode}"


def is_automatic(mode: str) -> bool:
    """Return whether a mission or a computer flies, not a pilot."""
    return mode not in _BY_HAND


def parts_of(bits: int) -> list[tuple[int, str]]:
    """Return the parts that a set of bits names."""
    return [(bit, name) for bit, name in PARTS.items() if bits & bit]


def _ardupilot_table(mav_type: int) -> dict[int, str] | None:
    for kinds, table in (
        (_COPTERS, COPTER_MODES),
        (_PLANES, PLANE_MODES),
        (_ROVERS, ROVER_MODES),
        (_SUBS, SUB_MODES),
    ):
        if mav_type in kinds:
            return table
    return None


def _px4_mode(custom_mode: int) -> str:
    main, sub = custom_mode >> 16 & 0xFF, custom_mode >> 24 & 0xFF
    if main == _PX4_AUTO:
        return PX4_AUTO_MODES.get(sub, f"Auto {sub}")
    name = PX4_MODES.get(main, f"Mode {main}")
    return "Orbit" if name == "Position" and sub == 1 else name


def _base_mode(base_mode: int) -> str:
    for bit, name in ((0x04, "Auto"), (0x08, "Guided"), (0x10, "Stabilize"), (0x40, "Manual")):
        if base_mode & bit:
            return name
    return "Unknown"


def flies_where_active(mav_type: int) -> bool:
    """Return whether ArduPilot's "active" means in the air for this kind: not for rovers and submarines."""
    return mav_type in _COPTERS or mav_type in _PLANES
