"""A tour is put together beside the wall."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLabel, QLineEdit, QListWidget, QWidget

from widgets.video.tour import Tour, TourStop
from widgets.video.tour_editor import TourEditor

CAMERAS = {"a": "Harbour Bridge", "b": "Market Cross", "c": "Ring Road"}


@pytest.fixture
def editor(qtbot):
    wall = QWidget()
    qtbot.addWidget(wall)
    made = TourEditor(wall)
    made.resize(340, 500)
    wall.resize(340, 500)
    wall.show()
    made.edit(None, CAMERAS, ("Morning",))
    yield made
    wall.close()


def button(editor, words):
    return next(b for b in editor.findChildren(QAbstractButton) if words in (b.text(), b.accessibleName()))


def press(editor, words):
    assert button(editor, words).isEnabled()
    QTest.mouseClick(button(editor, words), Qt.MouseButton.LeftButton)


def stops(editor):
    listed = editor.findChild(QListWidget)
    return [listed.item(row).text() for row in range(listed.count())]


def test_an_empty_tour_says_what_to_do_and_offers_nothing_that_does_nothing(editor):
    assert not button(editor, "Save").isEnabled()
    assert not button(editor, "Show this stop earlier").isEnabled()


def test_the_same_button_again_and_again_goes_through_the_cameras(editor):
    for _ in range(3):
        press(editor, "Add")

    assert [text.split("   ")[0] for text in stops(editor)] == list(CAMERAS.values())


def test_all_cameras_are_added_with_one_button_and_none_twice(editor):
    press(editor, "Add")
    press(editor, "Add all cameras")

    assert [text.split("   ")[0] for text in stops(editor)] == list(CAMERAS.values())


def test_a_tour_is_saved_with_its_name_and_stops(editor):
    saved = []
    editor.saved.connect(lambda tour, before: saved.append((tour, before)))
    QTest.keyClicks(editor.findChild(QLineEdit), "Night")
    what = editor.findChild(QComboBox)
    what.setCurrentIndex(what.count() - 1)
    press(editor, "Add")
    press(editor, "Save")

    assert saved == [(Tour(name="Night", stops=(TourStop(layout_name="Morning", dwell_s=10.0),)), "")]


def test_another_tour_is_not_replaced_by_giving_its_name(editor):
    editor.edit(None, CAMERAS, (), ("Night", "Day"))
    press(editor, "Add")
    QTest.keyClicks(editor.findChild(QLineEdit), "Night")

    assert not button(editor, "Save").isEnabled()
    assert any("There is a tour Night already." in label.text() for label in editor.findChildren(QLabel))


def test_a_tour_that_is_changed_keeps_its_name(editor):
    editor.edit(Tour(name="Night", stops=(TourStop(camera_id="a"),)), CAMERAS, (), ("Night", "Day"))

    assert button(editor, "Save").isEnabled()
