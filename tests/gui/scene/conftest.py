"""An editor on a picture of 640 x 360, filled as by a room, that keeps what it asks for."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton

from core.cameras.model import Camera
from core.vision.model import CountLine, Scene, Zone
from widgets.scene.editor import SceneEditor
from widgets.scene.sketch import Sketch

SQUARE = ((0.2, 0.2), (0.6, 0.2), (0.6, 0.6), (0.2, 0.6))
ZONE = Zone(key="zone-1", name="Junction", polygon=SQUARE)
LINE = CountLine(key="gate", name="Gate", start=(0.1, 0.8), end=(0.9, 0.8), forward_name="in", backward_name="out")
RING = Camera(camera_id="ring", name="Ring", address="x", scene=Scene(zones=(ZONE,), lines=(LINE,)), version=3)
GATE = Camera(camera_id="gate", name="Gate", address="y", version=1)


@dataclass
class Desk:
    """The editor, and what an operator does with it."""

    editor: SceneEditor
    saves: list[tuple[str, Scene, int, str]] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)

    @property
    def canvas(self):
        return self.editor.canvas

    @property
    def sketch(self) -> Sketch:
        return self.editor.document.sketch

    def at(self, x: float, y: float) -> QPoint:
        """Return the pixel of a point of the picture."""
        return self.canvas.view.to_px((x, y)).toPoint()

    def click(self, *points: tuple[float, float], modifier=Qt.KeyboardModifier.NoModifier) -> None:
        for x, y in points:
            QTest.mouseMove(self.canvas, self.at(x, y))
            QTest.mouseClick(self.canvas, Qt.MouseButton.LeftButton, modifier, self.at(x, y))

    def double_click(self, x: float, y: float) -> None:
        self.click((x, y))
        QTest.mouseDClick(self.canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, self.at(x, y))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        QTest.mousePress(self.canvas, left, none, self.at(*start))
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        for point in (middle, end):
            QTest.mouseMove(self.canvas, self.at(*point))
        QTest.mouseRelease(self.canvas, left, none, self.at(*end))

    def keys(self, *keys: Any, modifier=Qt.KeyboardModifier.NoModifier) -> None:
        for key in keys:
            QTest.keyClick(self.canvas, key, modifier)

    def press(self, words: str) -> None:
        """Click the visible button that says these words, or that a screen reader calls so."""
        shown = [button for button in self.editor.findChildren(QAbstractButton) if button.isVisible()]
        found = [b for b in shown if words.lower() in f"{b.text()} {b.accessibleName()}".lower()]
        assert found, f"no button {words!r}"
        found.sort(key=lambda button: button.text().lower() != words.lower())
        assert found[0].isEnabled(), f"{words!r} is disabled"
        QTest.mouseClick(found[0], Qt.MouseButton.LeftButton)

    def is_offered(self, words: str) -> bool:
        shown = [button for button in self.editor.findChildren(QAbstractButton) if button.isVisible()]
        return any(words.lower() in f"{b.text()} {b.accessibleName()}".lower() and b.isEnabled() for b in shown)

    def named(self, kind: type, name: str):
        """Return the field that a screen reader calls `name`."""
        return next(child for child in self.editor.findChildren(kind) if child.accessibleName() == name)

    def save(self) -> None:
        """Save, and answer as the node does."""
        self.keys(Qt.Key.Key_S, modifier=Qt.KeyboardModifier.ControlModifier)
        _, scene, version, _ = self.saves[-1]
        self.answer(scene, version + 1)

    def answer(self, scene: Scene, version: int) -> None:
        camera = Camera(camera_id="ring", name="Ring", address="x", scene=scene, version=version)
        self.editor.show_cameras((camera, GATE))
        self.editor.show_saved(camera)


def near(point, wanted, by=0.004):
    return abs(point[0] - wanted[0]) < by and abs(point[1] - wanted[1]) < by


@pytest.fixture
def desk(qtbot):
    editor = SceneEditor()
    qtbot.addWidget(editor)
    editor.resize(1280, 720)
    made = Desk(editor)
    editor.save_requested.connect(lambda *args: made.saves.append(args))
    for signal in (editor.versions_requested, editor.version_requested, editor.position_requested, editor.told):
        signal.connect(lambda *args: made.asked.append(args if len(args) > 1 else args[0]))
    editor.show()
    qtbot.waitExposed(editor)
    editor.set_may_edit(True)
    editor.show_cameras((RING, GATE))
    editor.open_camera("ring")
    image = QImage(640, 360, QImage.Format.Format_RGB32)
    image.fill(QColor(60, 70, 60))
    editor.show_picture("ring", image)
    made.canvas.setFocus()
    return made
