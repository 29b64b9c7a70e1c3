"""What is foreseen of a lot, as consoles see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LotEvent:
    """Something at one lot or at all of them that is not every week, as operators write it down.

    Attributes:
        event_id: Empty for a new one.
        lot_id: Empty for all lots.
        name: Events of the same name are like each other.
        effect_percent: Of the bays, that it fills beyond what is usual; None learns it from earlier ones of its name.
        version: Rises with every save; saving names the version it began on, 0 for a new one.
    """

    event_id: str
    name: str
    begins_at: datetime
    ends_at: datetime
    lot_id: str = ""
    effect_percent: float | None = None
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastPoint:
    """What is foreseen of one instant; free bays may be fractions.

    Attributes:
        n_free: Expected.
        low, high: Ends of the interval.
        full_probability: That fewer than one bay in fifty is free; None where there is nothing to go by.
        method: How it was made.
        is_baseline: No model beats the baselines that far ahead: one of them is shown.
        last_value, last_week: What the baselines say; None where they have nothing to go by.
        error_bays: Mean absolute error of the method that far ahead, as measured; None where nobody could measure it.
        coverage: Share of its intervals that held what came, as measured.
        occasion: Holiday or event that it takes into account; empty for none.
    """

    at: datetime
    n_free: float
    low: float
    high: float
    full_probability: float | None
    method: str
    is_baseline: bool
    last_value: float | None = None
    last_week: float | None = None
    error_bays: float | None = None
    coverage: float | None = None
    occasion: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredError:
    """How well a lot is foreseen, up to so far ahead.

    Attributes:
        up_to_min: End of the horizons that it holds for.
        errors: Mean absolute error in bays, by method.
        n_judged: Forecasts that were compared with what came.
    """

    up_to_min: int
    method: str
    is_baseline: bool
    errors: dict[str, float]
    coverage: float | None
    n_judged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LotForecast:
    """What is foreseen of a lot or a zone.

    Attributes:
        zone: Empty for the whole lot.
        n_bays: Bays in all, as its history says.
        n_free_now: None where nobody knows.
        asked: Share of the intervals that should hold.
        points: As asked for; empty where there is too little history.
        measured: Rising; empty where there is too little history to measure.
        trained_at: None before the first training.
        data_hash: Of the history that it was trained on.
        n_days: Days of which something is known.
        notes: What the reader must know, each a sentence.
        is_simulated: The demonstration's history stands behind it.
    """

    lot_id: str
    zone: str
    made_at: datetime
    time_zone: str
    n_bays: int
    n_free_now: float | None
    asked: float
    points: tuple[ForecastPoint, ...] = ()
    measured: tuple[MeasuredError, ...] = ()
    trained_at: datetime | None = None
    data_hash: str = ""
    n_days: int = 0
    notes: tuple[str, ...] = ()
    is_simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingState:
    """How training stands.

    Attributes:
        n_lots: Lots and zones that have a model.
        message: A sentence where something was left out or went wrong; empty otherwise.
    """

    is_running: bool = False
    trained_at: datetime | None = None
    n_lots: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class FullExpected:
    """On the bus: a lot is expected to be full soon, or no longer.

    Attributes:
        at: When it is first as probable as that.
    """

    lot_id: str
    is_begin: bool
    at: datetime
    probability: float
