"""The messages that are known: pymavlink's generated parser of every dialect."""

from __future__ import annotations

from typing import Any

from pymavlink.dialects.v20 import all as generated

from core.drones.mavlink.frames import Frame

MESSAGES: dict[int, Any] = generated.mavlink_map
CHECKSUM_EXTRAS: dict[int, int] = {number: kind.crc_extra for number, kind in MESSAGES.items()}
INSTANCE_OFFSETS: dict[int, int] = {
    number: kind.instance_offset for number, kind in MESSAGES.items() if kind.instance_offset >= 0
}
"""Where a message says which of several sensors or packs it means, by message number."""

_parser = generated.MAVLink(None)


def decode(frame: Frame) -> Any:
    """Return the generated message of a frame that was checked already, or None where it cannot be unpacked."""
    try:
        return _parser.decode(bytearray(frame.raw))
    except generated.MAVError:
        return None


def number_of(name: str) -> int:
    """Return a message's number by its name."""
    return int(getattr(generated, f"MAVLINK_MSG_ID_{name}"))


def enum_words(enum: str, prefix: str) -> dict[int, str]:
    """Return an enum's entries in words: without its prefix, lower case, spaces for underscores."""
    entries = generated.enums[enum]
    return {
        number: entry.name.removeprefix(prefix).replace("_", " ").lower()
        for number, entry in entries.items()
        if not entry.name.endswith("_ENUM_END")
    }
