"""Times and durations as the room writes them: always as the clock of the site, which the header shows."""

from __future__ import annotations

from datetime import datetime

from core.kernel.zone import to_site


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


def format_clock(at: datetime) -> str:
    """Write the time of day of an aware instant, to the second."""
    local = to_site(at)
    return f"{local.hour:02d}:{local.minute:02d}:{local.second:02d}{_which_of_two(local)}"


def format_clock_minute(at: datetime) -> str:
    """Write the time of day of an aware instant, to the minute."""
    local = to_site(at)
    return f"{local.hour:02d}:{local.minute:02d}{_which_of_two(local)}"


def format_instant(at: datetime) -> str:
    """Write an aware instant as ISO 8601 with its offset, to the second."""
    return to_site(at).isoformat(sep=" ", timespec="seconds")


def format_second(at: datetime) -> str:
    """Write day and time of an aware instant, to the second."""
    local = to_site(at)
    return f"{local:%Y-%m-%d %H:%M:%S}{_which_of_two(local)}"


def format_minute(at: datetime) -> str:
    """Write day and time of an aware instant, to the minute."""
    local = to_site(at)
    return f"{local:%Y-%m-%d %H:%M}{_which_of_two(local)}"


def format_day_minute(at: datetime) -> str:
    """Write month, day and time of an aware instant, to the minute."""
    local = to_site(at)
    return f"{local.month:02d}-{local.day:02d} {local.hour:02d}:{local.minute:02d}{_which_of_two(local)}"


def format_raised(at: datetime, now: datetime) -> str:
    """Write the time of day; month, day and minute where it was not today."""
    return format_clock(at) if to_site(at).date() == to_site(now).date() else format_day_minute(at)


def _which_of_two(local: datetime) -> str:
    """Return the offset, e.g. "+01", where the wall shows this time twice; else nothing."""
    offset = local.utcoffset()
    if local.replace(fold=1 - local.fold).utcoffset() == offset:
        return ""
    text = f"{local:%z}"
    return text.removesuffix("00") if len(text) == 5 else text
