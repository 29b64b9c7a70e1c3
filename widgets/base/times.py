"""Times and durations as the room writes them."""

from __future__ import annotations

from datetime import datetime, tzinfo


def format_age(seconds: float) -> str:
    """Write how old something is: "0.1 s", "12 s", "00:03:12", "2 d 04:10"; a negative age counts as none."""
    age_s = max(0.0, seconds)
    if age_s < 9.95:
        return f"{age_s:.1f} s"
    whole = round(age_s)
    if whole < 60:
        return f"{whole} s"
    days, rest = divmod(whole, 86_400)
    hours, minutes = divmod(rest // 60, 60)
    if days:
        return f"{days} d {hours:02d}:{minutes:02d}"
    return f"{hours:02d}:{minutes:02d}:{rest % 60:02d}"


def format_clock(at: datetime, zone: tzinfo | None = None) -> str:
    """Write the time of day of an aware instant, in `zone` or the machine's own."""
    return at.astimezone(zone).strftime("%H:%M:%S")


def format_instant(at: datetime, zone: tzinfo | None = None) -> str:
    """Write an aware instant as ISO 8601 with its offset, to the second."""
    return at.astimezone(zone).isoformat(sep=" ", timespec="seconds")


def format_raised(at: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """Write the time of day; month, day and minute where it was not today."""
    local = at.astimezone(zone)
    if local.date() == now.astimezone(zone).date():
        return local.strftime("%H:%M:%S")
    return local.strftime("%m-%d %H:%M")
