"""What a model knows and takes against what is asked of it: by the settings, by cameras, and by their rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

from core.vision.model import PERSON, VEHICLE_LABELS, CountLine, EngineInfo, Lane, ObservationKind, Scene, Zone
from core.vision.tuning import Tuning, rule

TWO_WHEELERS = ("bicycle", "motorcycle")

FIXED_SIZE = (
    "The model {model} is made for pictures of {own} only: they are looked at in that size, and not in {wanted} as "
    "vision.input_size asks."
)
OTHER_CLASSES = (
    "Nothing is found here: the model {model} knows {known}, this camera looks for {wanted}. "
    "Choose other classes in the camera's settings, or let the site use another model (vision.model)."
)
SOME_CLASSES = (
    "The model {model} does not know {missing}: never found here. "
    "Choose other classes in the camera's settings, or let the site use another model (vision.model)."
)
PLACE_CLASSES = "The {kind} {name} cannot count {missing}: the model {model} does not know them."
RULE_CLASSES = "{title} cannot work here: the model {model} does not know {missing}."
RULE_CLASSES_IN_PART = "{title} works only in part here: the model {model} does not know {missing}."
_MAX_NAMED = 4


def other_classes(engine: EngineInfo, wanted: Sequence[str]) -> str:
    """Say that the model knows nothing of what the camera looks for; empty where it knows some of it."""
    if not wanted or set(wanted) & set(engine.labels):
        return ""
    known = engine.labels[:_MAX_NAMED]
    more = f" and {len(engine.labels) - _MAX_NAMED} more" if len(engine.labels) > _MAX_NAMED else ""
    return OTHER_CLASSES.format(model=engine.model_name, known=", ".join(known) + more, wanted=", ".join(wanted))


def other_size(engine: EngineInfo, wanted_wh: tuple[int, int] | None) -> str:
    """Say that a model looks at pictures of another size than the settings ask for; empty where it does as asked."""
    if wanted_wh is None or engine.input_wh == wanted_wh:
        return ""
    own, wanted = (f"{width}x{height}" for width, height in (engine.input_wh, wanted_wh))
    return FIXED_SIZE.format(model=engine.model_name, own=own, wanted=wanted)


def missing_classes(engine: EngineInfo, wanted: Sequence[str]) -> str:
    """Say which of the camera's classes the model does not know; empty where it knows all."""
    missing = [label for label in wanted if label not in engine.labels]
    return SOME_CLASSES.format(model=engine.model_name, missing=", ".join(missing)) if missing else ""


def missing_for_rules(engine: EngineInfo, scene: Scene) -> dict[ObservationKind, str]:
    """Say of each rule that is watched what the model does not know of what the rule has to be told."""
    known = set(engine.labels)
    return {
        kind: (RULE_CLASSES_IN_PART if _works_in_part(kind, labels, known) else RULE_CLASSES).format(
            title=rule(kind).title, model=engine.model_name, missing=", ".join(_in_order(labels - known))
        )
        for kind, labels in labels_by_rule(scene).items()
        if not labels <= known
    }


def _works_in_part(kind: ObservationKind, labels: frozenset[str], known: Set[str]) -> bool:
    # What people ride only tells them from people on foot.
    needed = frozenset({PERSON}) if kind is ObservationKind.PEDESTRIAN else labels
    return not needed.isdisjoint(known)


def labels_by_rule(scene: Scene) -> dict[ObservationKind, frozenset[str]]:
    """Return the classes that a scene's rules have to be told of, whatever the camera shows and counts."""
    tuning = Tuning(scene)
    asked: dict[ObservationKind, Iterable[str]] = {}
    if scene.lanes or any(zone.calls_for_people for zone in scene.zones):
        asked[ObservationKind.PEDESTRIAN] = (PERSON, *TWO_WHEELERS)
    if scene.zones:
        asked[ObservationKind.LOITERING] = {label for zone in scene.zones for label in zone.labels or (PERSON,)}
    if scene.lanes or scene.zones:
        asked[ObservationKind.OBJECT_LEFT] = (PERSON, *VEHICLE_LABELS)
    return {kind: frozenset(labels) for kind, labels in asked.items() if tuning.is_watched(kind)}


def labels_for_rules(scene: Scene) -> frozenset[str]:
    """Return the classes of `labels_by_rule` together."""
    return frozenset[str]().union(*labels_by_rule(scene).values())


def missing_for_counts(engine: EngineInfo, scene: Scene) -> tuple[str, ...]:
    """Say of each line, zone and lane which of the classes that it names the model does not know."""
    known = set(engine.labels)
    drawn: tuple[tuple[str, Sequence[CountLine | Zone | Lane]], ...] = (
        ("line", scene.lines),
        ("zone", scene.zones),
        ("lane", scene.lanes),
    )
    return tuple(
        PLACE_CLASSES.format(
            kind=kind,
            name=place.name or place.key,
            model=engine.model_name,
            missing=", ".join(_in_order(frozenset(unknown))),
        )
        for kind, places in drawn
        for place in places
        if (unknown := set(place.labels) - known)
    )


def labels_for_counts(scene: Scene) -> frozenset[str]:
    """Return the classes that lines, zones and lanes name and have to be told of, whatever the camera shows.

    Who rides is no person on foot: where people count, what they ride has to be known.
    """
    places: tuple[CountLine | Zone | Lane, ...] = (*scene.lines, *scene.zones, *scene.lanes)
    named = frozenset(label for place in places for label in place.labels)
    return named | frozenset(TWO_WHEELERS) if PERSON in named else named


def labels_sought(named: Sequence[str], shown: Set[str], known: Set[str] | None) -> frozenset[str]:
    """Return the classes that are really looked for in one line, zone or lane: where there is none, no zero is known.

    Args:
        named: Classes that it names; none means every vehicle class that the camera looks for.
        shown: Classes that the camera looks for.
        known: Classes that the model knows; None where it knows all.
    """
    wanted = frozenset(named) or frozenset(VEHICLE_LABELS).intersection(shown)
    return wanted if known is None else wanted & known


def _in_order(labels: frozenset[str]) -> list[str]:
    usual = (PERSON, *VEHICLE_LABELS)
    return sorted(labels, key=lambda label: (usual.index(label) if label in usual else len(usual), label))
