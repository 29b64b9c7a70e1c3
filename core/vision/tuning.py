"""What can be tuned on each rule, for each camera: names, units, bounds and defaults, as data.

The scene editor shows these, `scene_file` checks them, the rules read them through `Tuning`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.vision.model import AT_THE_CAMERA, UNREADABLE, ObservationKind, RuleSetting, Scene

RESTS = "Rests: detection is off in the settings of this camera."


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of a rule.

    Attributes:
        unit: As shown behind the figure; empty for shares.
        low, high: Bounds, both allowed.
    """

    name: str
    title: str
    default: float
    low: float
    high: float
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleInfo:
    """One rule as the operator tunes it.

    Attributes:
        is_on: Whether a camera watches for this unless it says otherwise.
        explanation: What it takes for a sign, in one sentence.
    """

    kind: ObservationKind
    title: str
    explanation: str
    is_on: bool
    figures: tuple[Figure, ...]


def _call_from(default: float = 0.8) -> Figure:
    return Figure(name="call_from", title="Calls the operator from a confidence of", default=default, low=0.0, high=1.0)


RULES: tuple[RuleInfo, ...] = (
    RuleInfo(
        kind=ObservationKind.CONGESTION,
        title="Congestion",
        explanation="A lane or zone is full and slow for longer than a red light; zones say how many fill them.",
        is_on=True,
        figures=(
            Figure(name="cover", title="Lane covered by vehicles, at least", default=0.5, low=0.1, high=1.0),
            Figure(name="speed_ratio", title="Slower than this part of free flow", default=0.35, low=0.05, high=0.9),
            Figure(name="hold_s", title="For at least", default=60.0, low=3.0, high=900.0, unit="s"),
            _call_from(0.7),
        ),
    ),
    RuleInfo(
        kind=ObservationKind.STOPPED_VEHICLE,
        title="Stopped vehicle",
        explanation="A vehicle stands in a lane while nothing says that it waits; zones carry their own time.",
        is_on=True,
        figures=(
            Figure(name="after_s", title="After", default=20.0, low=3.0, high=3600.0, unit="s"),
            Figure(
                name="queue_after_s",
                title="At the head of a queue after",
                default=150.0,
                low=10.0,
                high=7200.0,
                unit="s",
            ),
            _call_from(),
        ),
    ),
    RuleInfo(
        kind=ObservationKind.WRONG_WAY,
        title="Wrong way",
        explanation="A vehicle drives against the arrow of its lane.",
        is_on=True,
        figures=(
            Figure(name="hold_s", title="For at least", default=1.5, low=0.2, high=30.0, unit="s"),
            Figure(name="distance", title="Over at least", default=2.0, low=0.5, high=20.0, unit="vehicle lengths"),
            _call_from(),
        ),
    ),
    RuleInfo(
        kind=ObservationKind.COLLISION,
        title="Collision",
        explanation="Vehicles change their movement suddenly where they meet, and stay.",
        is_on=True,
        figures=(_call_from(),),
    ),
    RuleInfo(
        kind=ObservationKind.PEDESTRIAN,
        title="Pedestrian on the carriageway",
        explanation="Somebody on foot is in a lane; zones that alarm for people call without this as well.",
        is_on=True,
        figures=(
            Figure(name="hold_s", title="For at least", default=2.0, low=0.2, high=60.0, unit="s"),
            _call_from(),
        ),
    ),
    RuleInfo(
        kind=ObservationKind.LOITERING,
        title="Loitering",
        explanation="Somebody, or a vehicle, stays in a zone without reason.",
        is_on=False,
        figures=(
            Figure(name="after_s", title="After", default=120.0, low=5.0, high=3600.0, unit="s"),
            _call_from(),
        ),
    ),
    RuleInfo(
        kind=ObservationKind.OBJECT_LEFT,
        title="Object left behind",
        explanation="Something new lies still in a zone or lane: debris, a lost load, a bag.",
        is_on=False,
        figures=(
            Figure(name="after_s", title="After", default=20.0, low=3.0, high=600.0, unit="s"),
            Figure(name="size", title="Larger than this part of the picture", default=0.0005, low=0.0001, high=0.2),
            _call_from(),
        ),
    ),
    RuleInfo(
        kind=ObservationKind.CAMERA_MOVED,
        title="Camera moved",
        explanation="The picture no longer shows what the zones were drawn on.",
        is_on=True,
        figures=(
            Figure(name="shift", title="By more than", default=0.03, low=0.005, high=0.5, unit="of the width"),
            Figure(name="hold_s", title="For at least", default=5.0, low=1.0, high=120.0, unit="s"),
        ),
    ),
    RuleInfo(
        kind=ObservationKind.CAMERA_BLINDED,
        title="Camera blinded",
        explanation="The picture is covered, dark, dazzled or out of focus.",
        is_on=True,
        figures=(Figure(name="hold_s", title="For at least", default=5.0, low=1.0, high=120.0, unit="s"),),
    ),
    RuleInfo(
        kind=ObservationKind.CAMERA_FROZEN,
        title="Picture frozen",
        explanation="The stream goes on, but shows the same picture.",
        is_on=True,
        figures=(Figure(name="hold_s", title="For at least", default=10.0, low=2.0, high=600.0, unit="s"),),
    ),
)

SHORT_JAMS = RuleSetting(kind=ObservationKind.CONGESTION.value, values={"hold_s": 5.0})
"""For clips, which are shorter than the time for which a camera sees a jam before it tells of it."""


class Tuning:
    """One camera's figures: the defaults, with what its scene says otherwise."""

    def __init__(self, scene: Scene) -> None:
        self._settings: dict[str, RuleSetting] = {setting.kind: setting for setting in scene.rules}
        self._calls_for_people = any(zone.calls_for_people for zone in scene.zones)
        # What we make black ourselves says nothing of the camera.
        self._is_ours = scene == UNREADABLE

    def is_on(self, kind: ObservationKind) -> bool:
        """Return whether the camera watches for this."""
        setting = self._settings.get(kind.value)
        if setting is None or setting.is_enabled is None:
            return rule(kind).is_on
        return setting.is_enabled

    def is_watched(self, kind: ObservationKind) -> bool:
        """Return whether the camera watches for this somewhere: a zone that alarms says so itself."""
        if self._is_ours and kind in AT_THE_CAMERA:
            return False
        return self.is_on(kind) or (kind is ObservationKind.PEDESTRIAN and self._calls_for_people)

    def value(self, kind: ObservationKind, name: str) -> float:
        """Return a figure, within its bounds.

        Raises:
            KeyError: The rule has no figure of that name.
        """
        figure = next((item for item in rule(kind).figures if item.name == name), None)
        if figure is None:
            raise KeyError(f"{kind.value} has no figure {name}")
        setting = self._settings.get(kind.value)
        wanted = figure.default if setting is None else setting.values.get(name, figure.default)
        return min(figure.high, max(figure.low, wanted))


def resting(scene: Scene) -> dict[ObservationKind, str]:
    """Say of each rule that is on and rests that it does, for a camera whose detection is off.

    Those about the camera itself need a picture and no detector.
    """
    tuning = Tuning(scene)
    return {info.kind: RESTS for info in RULES if info.kind not in AT_THE_CAMERA and tuning.is_watched(info.kind)}


def without(scene: Scene, kind: ObservationKind) -> Scene:
    """Return a scene whose camera does not watch for this, unless somebody said that it does."""
    setting = next((one for one in scene.rules if one.kind == kind.value), RuleSetting(kind=kind.value))
    if setting.is_enabled is not None:
        return scene
    others = tuple(one for one in scene.rules if one.kind != kind.value)
    return replace(scene, rules=(*others, replace(setting, is_enabled=False)))


def patience_s(scene: Scene, kind: ObservationKind) -> float:
    """Return for how long [s] the most patient rule of a kind looks on a camera before it says that something holds."""
    tuning = Tuning(scene)
    waits_s = [tuning.value(kind, one.name) for one in rule(kind).figures if one.unit == "s"]
    if kind is ObservationKind.STOPPED_VEHICLE:
        waits_s += [zone.stopped_after_s for zone in scene.zones if zone.stopped_after_s is not None]
    return max(waits_s, default=0.0)


def rule(kind: ObservationKind) -> RuleInfo:
    """Return what can be tuned on a rule.

    Raises:
        KeyError: Nothing can be tuned on it.
    """
    for info in RULES:
        if info.kind is kind:
            return info
    raise KeyError(f"{kind.value} has no figures to tune")
