"""Nothing in the forms beside the picture is cut, on a small screen as well."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractSpinBox, QCheckBox, QLabel, QListWidget, QScrollArea, QWidget

from core.vision.classes import labels_for_rules
from core.vision.model import AT_THE_CAMERA, DEFAULT_LABELS, Lane, ObservationKind, RuleSetting, Scene, Zone
from core.vision.rules import SceneRules
from core.vision.tuning import RESTS, RULES, Tuning
from tests.gui.scene.conftest import GATE, RING, SQUARE
from tests.unit.vision.roads import ASPECT, START_AT, track_at
from tests.unit.vision.toy_model import toy_engine
from widgets.scene.sketch import scene_of

Key = Qt.Key
LANE = Lane(key="lane-1", name="Lane", polygon=SQUARE, start=(0.4, 0.2), end=(0.4, 0.6))


def show(desk, scene: Scene) -> None:
    camera = replace(RING, scene=scene, version=RING.version + 1)
    desk.editor.show_cameras((camera, GATE))


def is_whole(part: QWidget) -> bool:
    """Whether no parent up to the scrolled form cuts a widget off."""
    around = part.parentWidget()
    while around is not None and not isinstance(around.parentWidget(), QScrollArea | type(None)):
        if not around.rect().contains(part.rect().translated(part.mapTo(around, part.rect().topLeft()))):
            return False
        around = around.parentWidget()
    return around is None or part.mapTo(around, part.rect().topRight()).x() <= around.width()


@pytest.mark.parametrize("n_steps", [1, 2, 3])
def test_every_class_can_be_ticked_for_zones_lines_and_lanes(desk, qtbot, n_steps):
    show(desk, replace(RING.scene, lanes=(LANE,)))
    desk.keys(*([Key.Key_PageDown] * n_steps))
    boxes = [box for box in desk.editor.findChildren(QCheckBox) if box.accessibleName().startswith("Counts ")]
    boxes = [box for box in boxes if box.isVisibleTo(box.parentWidget())]

    assert len(boxes) == (5 if n_steps == 3 else 6)
    qtbot.waitUntil(lambda: all(box.isVisible() and is_whole(box) for box in boxes))


def test_no_figure_of_a_rule_is_cut(desk, qtbot):
    desk.editor.side.show_tab("Rules")
    fields = [field for field in desk.editor.side.rules.findChildren(QAbstractSpinBox) if field.isVisible()]

    assert len(fields) > 10
    qtbot.waitUntil(lambda: all(is_whole(field) for field in fields))
    for field in fields:
        written = field.fontMetrics().horizontalAdvance(field.text())
        assert written <= field.lineEdit().width(), field.accessibleName()


def test_the_list_of_shapes_has_the_page_while_nothing_is_selected(desk, qtbot):
    zones = tuple(Zone(key=f"z{n}", name=f"Zone {n}", polygon=SQUARE) for n in range(12))
    show(desk, Scene(zones=zones))
    shapes = desk.named(QListWidget, "What is drawn")
    row_px = shapes.sizeHintForRow(0)

    qtbot.waitUntil(lambda: shapes.height() >= 12 * row_px)
    desk.keys(Key.Key_PageDown)
    qtbot.waitUntil(lambda: shapes.height() < 9 * row_px)


def tick(desk, *labels: str) -> None:
    for label in labels:
        desk.named(QCheckBox, f"Counts {label}").click()


def said_of_people(desk) -> list[str]:
    words = ("People may", "People on foot", "Calls for people", "Loitering, where")
    return [
        label.text()
        for label in desk.editor.findChildren(QLabel)
        if label.isVisible() and label.text().startswith(words)
    ]


def called_for_somebody_who_crosses(scene: Scene) -> bool:
    rules = SceneRules("ring", scene, ASPECT, frozenset({"car", "person"}))
    kinds = set()
    for step in range(150):
        walker = track_at(0.3 + step / 1000, 0.5, label="person", width=0.02, height=0.06)
        kinds |= {one.kind for one in rules.update([walker], step / 10, START_AT)}
    return bool(kinds & {ObservationKind.PEDESTRIAN, ObservationKind.VEHICLE_IN_ZONE})


def test_a_zebra_crossing_is_set_in_the_form_and_nobody_is_called_for_who_walks_on_it(desk):
    desk.editor.show_cameras((replace(RING, scene=replace(RING.scene, lanes=(LANE,)), version=4), GATE))
    before = scene_of(desk.sketch)
    desk.keys(Key.Key_PageDown)

    tick(desk, "person")
    desk.save()

    scene = desk.saves[-1][1]
    assert called_for_somebody_who_crosses(before)
    assert scene.zones[0].is_crossing
    assert said_of_people(desk) == ["People may walk here."]
    assert not called_for_somebody_who_crosses(scene)


def test_a_zone_that_calls_for_people_is_set_in_the_form(desk):
    desk.keys(Key.Key_PageDown)
    alarm = next(box for box in desk.editor.findChildren(QCheckBox) if box.text() == "Alarm for a vehicle inside")

    tick(desk, "person")
    alarm.click()
    desk.save()

    assert said_of_people(desk) == ["Calls for people."]
    assert alarm.text() == "Alarm for people inside"
    assert called_for_somebody_who_crosses(desk.saves[-1][1])


def test_a_zone_with_vehicles_ticked_watches_people_too(desk):
    desk.keys(Key.Key_PageDown)

    tick(desk, "car")
    nobody = said_of_people(desk)
    tick(desk, "person")

    assert nobody == []
    assert said_of_people(desk) == ["Loitering, where it is on, watches people."]
    loitering = RuleSetting(kind=ObservationKind.LOITERING.value, is_enabled=True)
    assert labels_for_rules(replace(scene_of(desk.sketch), rules=(loitering,))) >= {"car", "person"}


def test_a_line_counts_people_where_they_are_ticked(desk):
    desk.keys(Key.Key_PageDown, Key.Key_PageDown)

    tick(desk, "person")
    desk.save()

    (line,) = desk.saves[-1][1].lines
    assert line.labels == ("person",)
    assert said_of_people(desk) == ["People on foot are counted apart from vehicles."]


def test_a_rule_of_which_the_model_knows_too_little_says_so_where_it_is_switched_on(desk):
    show(desk, replace(RING.scene, lanes=(LANE,)))
    desk.editor.side.show_tab("Rules")
    engine = replace(toy_engine((96, 64)), model_name="road", labels=DEFAULT_LABELS)

    def said():
        labels = desk.editor.side.rules.findChildren(QLabel)
        return [label.text() for label in labels if label.isVisible() and "cannot work" in label.text()]

    before = said()
    desk.editor.show_engine(engine)
    with_lanes = said()
    pedestrian = "Pedestrian on the carriageway"
    next(box for box in desk.editor.side.rules.findChildren(QCheckBox) if box.text() == pedestrian).click()

    assert before == []
    assert len(with_lanes) == 1
    assert with_lanes[0].endswith("cannot work here: the model road does not know person, bicycle.")
    assert said() == []


def test_every_rule_that_needs_a_detector_says_that_it_rests_where_detection_is_off(desk):
    desk.editor.side.show_tab("Rules")

    def said():
        labels = desk.editor.side.rules.findChildren(QLabel)
        return [label.text() for label in labels if label.isVisible() and "detection is off" in label.text()]

    on = said()
    off = replace(RING, detect_fps=0.0, version=RING.version + 1)
    desk.editor.show_cameras((off, GATE))

    assert on == []
    resting = [info for info in RULES if info.kind not in AT_THE_CAMERA and Tuning(RING.scene).is_watched(info.kind)]
    assert said() == [RESTS] * len(resting)

    desk.editor.show_cameras((replace(off, detect_fps=5.0, version=off.version + 1), GATE))

    assert said() == []
