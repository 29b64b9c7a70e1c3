"""Figures and forecasts of lots in sentences, lines and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from core.parking.figures_model import DWELL_ENDS_MIN, LotFigures
from core.parking.forecast.model import ForecastPoint, LotForecast
from widgets.base.table import Line

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SIMULATED = "Simulated"
UNKNOWN = "--"


def answer_of(forecast: LotForecast, point: ForecastPoint) -> str:
    """Say in one sentence what is expected."""
    local = point.at.astimezone(ZoneInfo(forecast.time_zone))
    occasion = f" ({point.occasion})" if point.occasion else ""
    full = "" if point.full_probability is None else f" Full with {_percent(point.full_probability)}."
    return (
        f"{WEEKDAYS[local.weekday()]} {local:%d %B, %H:%M}{occasion}: about {point.n_free:.0f} of {forecast.n_bays} "
        f"bays free, {point.low:.0f} to {point.high:.0f} with {forecast.asked:.0%}.{full}"
    )


def ground_of(point: ForecastPoint) -> str:
    """Say what an answer stands on."""
    by = f"By {point.method}"
    if point.error_bays is None:
        return f"{by}; how far off that is, nobody could measure yet."
    held = "" if point.coverage is None else f", and {point.coverage:.0%} of the intervals held"
    beaten = " No model beats this baseline so far ahead." if point.is_baseline else ""
    return f"{by}; so far ahead it was off by {point.error_bays:.1f} bays on average{held}.{beaten}"


def moment_of(forecast: LotForecast, point: ForecastPoint) -> str:
    """Say a point of the chart in one line, with the baselines beside it."""
    local = point.at.astimezone(ZoneInfo(forecast.time_zone))
    beside = [
        f"{name} {value:.0f}"
        for name, value in (("last value", point.last_value), ("last week", point.last_week))
        if value is not None
    ]
    full = "" if point.full_probability is None else f", full with {_percent(point.full_probability)}"
    other = f"; {', '.join(beside)}" if beside else ""
    return f"{local:%a %H:%M}: {point.n_free:.0f} free, {point.low:.0f} to {point.high:.0f}{full}{other}"


def measured_lines(forecast: LotForecast) -> list[Line]:
    """Return how far off each horizon was, the baselines beside what is shown."""
    return [
        Line(
            key=str(band.up_to_min),
            cells=(
                ahead_of(band.up_to_min),
                band.method,
                _number(band.errors.get(band.method)),
                _number(band.errors.get("last value")),
                _number(band.errors.get("last week")),
                UNKNOWN if band.coverage is None else f"{band.coverage:.0%}",
            ),
            tip=f"{band.n_judged:,} forecasts compared with what came"
            + ("; no model beats the baselines here" if band.is_baseline else ""),
        )
        for band in forecast.measured
    ]


def fact_lines(figures: LotFigures) -> list[Line]:
    """Return the figures that are one number."""
    dwell = figures.dwell
    n_known = figures.n_bays - figures.n_unknown
    lines = [
        ("Occupied at the end", f"{figures.n_occupied} of {n_known} known" if n_known else UNKNOWN),
        ("Occupied over the time", _share(figures.occupied_share)),
        ("Known of the time", _share(figures.known_share)),
    ]
    if not figures.is_counted:
        lines += [
            ("Vehicles a bay and day", UNKNOWN if figures.turnover is None else f"{figures.turnover:.1f}"),
            ("Half stay at most", _duration(dwell.median_min)),
            ("Nine of ten stay at most", _duration(dwell.p90_min)),
            ("Stays seen whole", f"{dwell.n_complete:,}"),
            ("Begun, end not seen", f"{dwell.n_cut:,}"),
            ("Left out, begin not seen", f"{dwell.n_without_begin:,}"),
        ]
    return [Line(key=name, cells=(name, value)) for name, value in lines]


def bay_lines(figures: LotFigures, labels: dict[str, str], n_most: int = 10) -> list[Line]:
    """Return the busiest bays."""
    return [
        Line(
            key=bay.bay_id,
            cells=(
                labels.get(bay.bay_id) or bay.bay_id,
                _share(bay.occupied_share),
                f"{bay.n_stays:,}",
                _duration(bay.mean_stay_min),
                _share(bay.known_share),
            ),
        )
        for bay in figures.bays[:n_most]
    ]


def dwell_names() -> tuple[str, ...]:
    """Return the bins of stays."""
    ends = [_duration(float(end)) for end in DWELL_ENDS_MIN]
    return (*(f"≤ {end}" for end in ends), f"> {ends[-1]}")


def cell_of(figures: LotFigures, weekday: int, hour: int) -> str:
    """Say one hour of one weekday."""
    share = figures.heat[weekday][hour]
    known = "hardly watched, so not known" if share is None else f"{share:.0%} occupied"
    return f"{WEEKDAYS[weekday]} {hour:02d}:00 to {(hour + 1) % 24:02d}:00: {known}"


def ahead_of(minutes: int) -> str:
    """Write a horizon."""
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 1440 else f"{minutes / 1440:g} days"


def csv_of(figures: LotFigures | None, forecast: LotForecast | None) -> str:
    """Return all that is shown as one CSV file: what, key, then values; times with their offset."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(("what", "key", "value", "low", "high", "full_probability", "last_value", "last_week", "method"))
    if figures is not None:
        zone = ZoneInfo(figures.time_zone)
        for name, at in (("since", figures.since), ("until", figures.until)):
            rows.writerow((name, "", _local(at, zone)))
        rows.writerow(("lot", figures.lot_id, figures.zone))
        rows.writerow(("is_simulated", "", figures.is_simulated))
        rows.writerows(("figure", *line.cells) for line in fact_lines(figures))
        for weekday, hours in zip(WEEKDAYS, figures.heat, strict=True):
            rows.writerows(("heat", f"{weekday} {hour:02d}", _plain(share)) for hour, share in enumerate(hours))
        rows.writerows(("dwell", name, _plain(s)) for name, s in zip(dwell_names(), figures.dwell.shares, strict=False))
        rows.writerows(("bay", bay.bay_id, _plain(bay.occupied_share)) for bay in figures.bays)
    if forecast is not None:
        zone = ZoneInfo(forecast.time_zone)
        rows.writerow(("forecast_made_at", "", _local(forecast.made_at, zone)))
        rows.writerow(("forecast_data_hash", "", forecast.data_hash))
        for point in forecast.points:
            values = (point.n_free, point.low, point.high, point.full_probability, point.last_value, point.last_week)
            rows.writerow(("free", _local(point.at, zone), *map(_plain, values), point.method))
        for band in forecast.measured:
            rows.writerows(
                ("error_bays", f"up to {band.up_to_min} min", _plain(error), "", "", "", "", "", method)
                for method, error in band.errors.items()
            )
    return out.getvalue()


def point_at(points: Sequence[ForecastPoint], at: datetime) -> ForecastPoint | None:
    """Return the point of an instant."""
    return next((point for point in points if point.at == at), None)


def _local(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).isoformat(timespec="minutes")


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _share(share: float | None) -> str:
    return UNKNOWN if share is None else f"{share:.0%}"


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1f}"


def _percent(chance: float) -> str:
    if 0.0 < chance < 0.01:
        return "less than 1%"
    return "more than 99%" if 0.99 < chance < 1.0 else f"{chance:.0%}"


def _duration(minutes: float | None) -> str:
    if minutes is None:
        return UNKNOWN
    whole = round(minutes)
    if whole < 120:
        return f"{whole} min"
    return f"{whole / 60:.1f} h".replace(".0 h", " h")
