"""The figures of the alarm system in lines and in CSV, each with what the standards recommend beside it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import datetime

from core.incidents.figures import RECOMMENDED_SPLIT, Answers, Figures
from core.incidents.model import Priority
from core.kernel.zone import to_site
from widgets.base.table import Line
from widgets.base.times import format_instant

FEW_CALLS = 200
"""With fewer, ten conditions are most of the load whatever they do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One figure beside what is recommended.

    Attributes:
        is_within: None where nothing is recommended.
    """

    name: str
    value: str
    recommended: str = ""
    is_within: bool | None = None
    tip: str = ""


def compared(figures: Figures) -> tuple[Compared, ...]:
    """Return the load of a position and the state of the alarm system.

    Source: ISA-18.2, IEC 62682, EEMUA 191, as in study/control_room.md 1A; per operator position.
    """
    f = figures
    return (
        Compared(name="Alarms", value=str(f.n_calls)),
        _most("Alarms per 10 min", f.calls_per_10_min, "≤ 1, at most 2", 2.0, "{:.2f}"),
        _most("Most in 10 min", f.most_in_10_min, "≤ 10", 10),
        _most("Most in an hour", f.most_in_hour, "≤ 30", 30),
        _below("10 min with > 10", f.share_of_busy_bins),
        _below("Hours with > 30", f.share_of_busy_hours),
        _below("Time in flood", f.flood_share, f"{len(f.floods)} floods"),
        Compared(
            name="Ten most frequent",
            value=f"{f.top_share * 100:.1f} %",
            recommended="≤ 1 to 5 %",
            is_within=f.top_share <= 0.05 if f.n_calls >= FEW_CALLS else None,
            tip=f"Compared from {FEW_CALLS} alarms on",
        ),
        _most("Stale now (24 h)", f.n_stale, "< 5", 4),
        _most("Stale, worst day", f.most_stale, "< 5", 4),
        _most(
            "Chattering raises",
            f.n_chattering,
            "0",
            0,
            tip="The third raise of a condition in 60 s, and every further one",
        ),
        Compared(
            name="Repeating raises", value=str(f.n_repeating), tip="The third raise in 10 min, and every further one"
        ),
        _most("Fleeting", f.n_fleeting, "0", 0, tip="Over within 10 s and not acknowledged"),
        _most("Active now", f.n_standing, "< 10", 9),
        Compared(name="Waiting now", value=str(f.n_waiting)),
        _most("Shelved now", f.shelved[1], "< 30", 29, tip=f"{f.shelved[0]} times in the span"),
        Compared(name="Suppressed now", value=str(f.suppressed[1]), tip=f"{f.suppressed[0]} times in the span"),
        Compared(name="Out of service now", value=str(f.out_of_service[1]), tip=f"{f.out_of_service[0]} times"),
    )


def compared_lines(figures: Figures) -> tuple[Line, ...]:
    """Return one line for each figure."""
    return tuple(
        Line(
            key=one.name,
            cells=(one.name, one.value, f"{one.recommended}{'   outside' if one.is_within is False else ''}"),
            tip=one.tip,
        )
        for one in compared(figures)
    )


def priority_lines(figures: Figures) -> tuple[Line, ...]:
    """Return calls, share and times to acknowledge by priority."""
    total = sum(figures.split.values())
    return tuple(
        Line(
            key=priority.name,
            cells=(
                f"{priority.value} {priority.name.lower()}",
                str(figures.split[priority]),
                f"{figures.split[priority] / total:.1%}" if total else "--",
                f"{'<' if priority is Priority.CRITICAL else '~'} {RECOMMENDED_SPLIT[priority]:g} %",
                *_answer_cells(figures.answers[priority]),
            ),
        )
        for priority in Priority
    )


def top_lines(figures: Figures) -> tuple[Line, ...]:
    """Return the conditions that call most."""
    return tuple(
        Line(
            key=one.condition_key,
            cells=(one.title, one.source_name, str(one.n_calls), f"{one.share:.1%}"),
            tip=one.condition_key,
        )
        for one in figures.top
    )


def position_lines(figures: Figures) -> tuple[Line, ...]:
    """Return who answered, and how soon."""
    return tuple(Line(key=one.desk, cells=(one.desk or "--", *_answer_cells(one.answers))) for one in figures.positions)


def flood_lines(figures: Figures) -> tuple[Line, ...]:
    """Return the floods, the newest first."""
    return tuple(
        Line(
            key=one.began_at.isoformat(),
            cells=(
                format_instant(one.began_at),
                duration_text((one.ended_at - one.began_at).total_seconds()),
                str(one.n_calls),
            ),
        )
        for one in reversed(figures.floods)
    )


def csv_of(figures: Figures) -> str:
    """Return everything that the page shows, as CSV with a line for each figure."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\r\n")
    out.writerow(("part", "name", "value", "recommended", "note"))
    span = f"{_stamp(figures.since)} to {_stamp(figures.until)}"
    out.writerow(("span", span, figures.n_events, "", "rows of the journal"))
    for one in compared(figures):
        out.writerow(("load", one.name, one.value, one.recommended, one.tip))
    for priority in Priority:
        answers = figures.answers[priority]
        recommended = f"{RECOMMENDED_SPLIT[priority]:g} %"
        out.writerow(("priority", priority.name.lower(), figures.split[priority], recommended, "alarms"))
        out.writerow(("acknowledge p50 [s]", priority.name.lower(), _csv(answers.p50_s), "", f"of {answers.n}"))
        out.writerow(("acknowledge p95 [s]", priority.name.lower(), _csv(answers.p95_s), "", f"of {answers.n}"))
    for top in figures.top:
        out.writerow(("top ten", _safe(top.title), top.n_calls, "", _safe(top.source_name)))
    for position in figures.positions:
        answers = position.answers
        out.writerow(("desk p50 [s]", _safe(position.desk), _csv(answers.p50_s), "", f"of {answers.n}"))
        out.writerow(("desk p95 [s]", _safe(position.desk), _csv(answers.p95_s), "", f"of {answers.n}"))
    for flood in figures.floods:
        seconds = (flood.ended_at - flood.began_at).total_seconds()
        out.writerow(("flood", _stamp(flood.began_at), f"{seconds:.0f} s", "", f"{flood.n_calls} alarms"))
    for hour, n_calls in enumerate(figures.per_hour):
        out.writerow(("hour", hour, n_calls, "", "alarms in this hour from the begin"))
    return text.getvalue()


def duration_text(seconds: float) -> str:
    """Return a duration as 0:03:12."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def _most(name: str, value: float, words: str, most: float, form: str = "{:g}", tip: str = "") -> Compared:
    return Compared(name=name, value=form.format(value), recommended=words, is_within=value <= most, tip=tip)


def _below(name: str, share: float, tip: str = "") -> Compared:
    return Compared(name=name, value=f"{share * 100:.2f} %", recommended="< 1 %", is_within=share < 0.01, tip=tip)


def _answer_cells(answers: Answers) -> tuple[str, str, str]:
    def words(seconds: float | None) -> str:
        return "--" if seconds is None else duration_text(seconds)

    return str(answers.n), words(answers.p50_s), words(answers.p95_s)


def _stamp(at: datetime) -> str:
    return to_site(at).isoformat()


def _csv(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.3f}"


def _safe(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text
