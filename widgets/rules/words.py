"""How rules are put into words and lists of words, and read back from what a supervisor types."""

from __future__ import annotations

import re

from core.incidents.model import Priority
from core.incidents.rules.model import (
    AlarmRule,
    Consequence,
    HeldWhile,
    Link,
    TimeToRespond,
)
from core.incidents.suppression import Reach, Weekday, Window

CONSEQUENCE_WORDS = {
    Consequence.LIFE: "Life",
    Consequence.PROPERTY: "Property, evidence",
    Consequence.TRAFFIC: "Traffic",
    Consequence.INFORMATION: "Information",
}
TIME_WORDS = {
    TimeToRespond.UNDER_1_MIN: "under 1 min",
    TimeToRespond.UNDER_5_MIN: "under 5 min",
    TimeToRespond.UNDER_30_MIN: "under 30 min",
    TimeToRespond.OVER_30_MIN: "over 30 min",
}
LINK_WORDS = {Link.CAMERA: "Camera", Link.MAP: "Map", Link.TREND: "Trend", Link.PAGE: "Page"}
REACH_WORDS = {
    Reach.SAME_SOURCE: "same source",
    Reach.SAME_GROUP: "same group",
    Reach.NEARBY: "nearby",
    Reach.EVERYWHERE: "everywhere",
}
PRIORITY_WORDS = {priority: f"{priority.value} {priority.name.lower()}" for priority in Priority}
_HELD = re.compile(r"(?P<name>[^:]+):(?P<causes>[^()]+)(?:\((?P<reach>[^)]*)\))?\s*")
_WINDOW = re.compile(r"(?P<begin>\d\d:\d\d)\s*(?:-|to)\s*(?P<end>\d\d:\d\d)\s*(?P<days>[a-z, ]*)", re.IGNORECASE)


def rule_name(rule: AlarmRule) -> str:
    """Return what a list calls a rule."""
    return (
        rule.title.replace(": {where}", "").replace("{where}", "…").strip()
        or rule.rule_id.replace("_", " ").capitalize()
    )


def priority_words(rule: AlarmRule) -> str:
    """Return a rule's priority; where the source says it, that."""
    return "source" if rule.priority is None else PRIORITY_WORDS[rule.priority]


def words_of(text: str) -> tuple[str, ...]:
    """Return what stands between commas."""
    return tuple(dict.fromkeys(part for raw in text.split(",") if (part := raw.strip())))


def lines_of(text: str) -> tuple[str, ...]:
    """Return the lines that hold something."""
    return tuple(line for raw in text.splitlines() if (line := raw.strip()))


def held_text(held: tuple[HeldWhile, ...]) -> str:
    """Return one line for each: `name: cause, cause (reach)`."""
    return "\n".join(f"{one.name}: {', '.join(one.causes)} ({REACH_WORDS[one.reach]})" for one in held)


def held_of(text: str) -> tuple[HeldWhile, ...]:
    """Read what `held_text` writes.

    Raises:
        ValueError: With the line that cannot be read.
    """
    found = []
    reaches = {words: reach for reach, words in REACH_WORDS.items()}
    for line in lines_of(text):
        match = _HELD.fullmatch(line)
        reach = reaches.get((match["reach"] or "same source").strip().lower()) if match else None
        causes = words_of(match["causes"]) if match else ()
        if match is None or reach is None or not causes:
            raise ValueError(f'"{line}" is not "name: cause, cause ({" | ".join(reaches)})".')
        found.append(HeldWhile(name=match["name"].strip(), causes=causes, reach=reach))
    return tuple(found)


def windows_text(windows: tuple[Window, ...]) -> str:
    """Return one line for each: `22:00-06:00 mon, tue`."""
    return "\n".join(f"{one.begin}-{one.end} {', '.join(one.weekdays)}".strip() for one in windows)


def windows_of(text: str) -> tuple[Window, ...]:
    """Read what `windows_text` writes.

    Raises:
        ValueError: With the line that cannot be read.
    """
    found = []
    for line in lines_of(text):
        match = _WINDOW.fullmatch(line)
        days = [day for raw in re.split(r"[, ]+", match["days"]) if (day := raw.lower())] if match else []
        if match is None or any(day not in set(Weekday) for day in days):
            raise ValueError(f'"{line}" is not "22:00-06:00" or "22:00-06:00 mon, tue".')
        found.append(Window(begin=match["begin"], end=match["end"], weekdays=tuple(Weekday(day) for day in days)))
    return tuple(found)


def duration_words(seconds: float) -> str:
    """Return "90 s", "15 min" or "8 h"."""
    if seconds >= 3600 and seconds % 3600 == 0:
        return f"{seconds / 3600:.0f} h"
    if seconds >= 120 and seconds % 60 == 0:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:g} s"


def limits_words(rule: AlarmRule) -> str:
    """Return the figures of a rule that differ from "at once, as by default", in a few letters."""
    limits, parts = rule.limits, []
    if limits.on_delay_s:
        parts.append(f"on {duration_words(limits.on_delay_s)}")
    if limits.off_delay_s:
        parts.append(f"off {duration_words(limits.off_delay_s)}")
    if limits.n_raises > 1:
        parts.append(f"{limits.n_raises} in {duration_words(limits.window_s)}")
    if limits.is_latching:
        parts.append("latches")
    if rule.suppression.windows:
        parts.append("hours")
    return ", ".join(parts)
