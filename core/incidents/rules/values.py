"""Numbers of devices beyond a limit: the limits that a device has by its kind and by rules, and their conditions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from core.field.kinds import find_kinds
from core.field.kinds.base import OTHER, AlarmDefault
from core.field.limits import LimitPassed
from core.field.model import Device
from core.incidents.model import Condition, Priority, SourceKind
from core.incidents.policy import condition_of_source
from core.incidents.rules.book import RuleBook

VALUE = "device_value"


def limits_of(device: Device, book: RuleBook) -> tuple[AlarmDefault, ...]:
    """Return the limits of a device: those of its kind with the figures of their rules, and those that rules add.

    A rule adds one where it names the quantity and a limit, and the kind declares none.
    """
    declared = find_kinds().get(device.kind, OTHER).alarms
    known = {default.quantity for default in declared}
    added = _added(device, book, known)
    return (*(_with_figures(device, default, book) for default in declared), *added)


def value_condition(device: Device, passed: LimitPassed) -> Condition:
    """A device measures something beyond a limit of its kind or of a rule."""
    default = passed.default
    condition = condition_of_source(
        default.kind,
        source_kind=SourceKind.DEVICE,
        source_id=device.device_id,
        source_name=device.name,
        detail=_describe(device, passed),
        position=device.position,
        tags=frozenset({device.kind, device.device_id.partition("/")[0]}),
    )
    return replace(
        condition,
        condition_key=f"{condition.condition_key}:{passed.stream}/{default.quantity}",
        title=default.title.format(where=device.name),
        priority=Priority(default.priority),
        quantity=default.quantity,
        measured_at=passed.measured_at,
    )


def condition_of_limit(device: Device, default: AlarmDefault) -> Condition:
    """Return what a rule is asked about where nothing was measured yet."""
    passed = LimitPassed(device_id=device.device_id, stream="", default=default, value=0.0, is_beyond=True)
    return value_condition(device, passed)


def _with_figures(device: Device, default: AlarmDefault, book: RuleBook) -> AlarmDefault:
    tuning = book.tuning_of(condition_of_limit(device, default))
    if tuning.limit is None:
        return replace(default, deadband=tuning.deadband) if tuning.deadband else default
    above, below = (None, tuning.limit) if tuning.is_below else (tuning.limit, None)
    return replace(default, above=above, below=below, deadband=tuning.deadband)


def _added(device: Device, book: RuleBook, known: set[str]) -> Iterator[AlarmDefault]:
    for quantity in book.limited_quantities:
        if quantity in known:
            continue
        title, _, _ = _shown(device, quantity)
        # Delays are those of the rule, behind this.
        asked = AlarmDefault(
            quantity=quantity, title=f"{_plain(title)}: {{where}}", above=0.0, on_delay_s=0.0, off_delay_s=0.0
        )
        rule = book.rule_of(condition_of_limit(device, asked))
        if rule is not None and quantity in rule.applies_to.quantities and rule.limits.limit is not None:
            yield _with_figures(device, asked, book)


def _describe(device: Device, passed: LimitPassed) -> str:
    default = passed.default
    title, unit, decimals = _shown(device, default.quantity)
    side, limit = ("above", default.above) if default.above is not None else ("below", default.below)
    return f"{title}: {passed.value:.{decimals}f} {unit}, {side} {limit:g} {unit}".replace(" ,", ",").strip()


def _shown(device: Device, quantity: str) -> tuple[str, str, int]:
    """Return title, unit and decimals of a number; one that nobody described has its key for a title."""
    quantities = {item.key: item for item in find_kinds().get(device.kind, OTHER).quantities}
    known = quantities.get(quantity)
    return (known.title, known.unit, known.decimals) if known else (quantity, "", 1)


def _plain(title: str) -> str:
    """Return a title that may stand in a format."""
    return title.replace("{", "(").replace("}", ")")
