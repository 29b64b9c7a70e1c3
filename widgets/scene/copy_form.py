"""Take over what is drawn on another camera, part by part."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QCheckBox, QLabel, QPushButton, QVBoxLayout, QWidget

from core.cameras.model import Camera
from core.vision.model import Scene
from widgets.base.flow import FlowLayout
from widgets.base.theme import look, set_role
from widgets.scene.fields import choice_field
from widgets.scene.sketch import Part, counted

_REPLACES = {Part.PLANE, Part.RULES}


class CopyForm(QWidget):
    """Choose a camera, then what to take.

    Signals:
        copy_requested(str, object): Camera id and the chosen `Part`s.
        cancelled()
    """

    copy_requested = Signal(str, object)
    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        gap = look().sizes.gap
        self._scenes: dict[str, Scene] = {}
        title = QLabel("Copy from another camera", self)
        title.setWordWrap(True)
        set_role(title, "title")
        self._camera = choice_field("Camera to copy from", self)
        self._camera.currentIndexChanged.connect(self._refresh)
        self._parts = {part: QCheckBox(part.value.capitalize(), self) for part in Part}
        note = QLabel("Shapes are added to those that are here; road points and rules replace them.", self)
        note.setWordWrap(True)
        set_role(note, "caption")
        self._copy = QPushButton("Copy", self)
        set_role(self._copy, "primary")
        self._copy.clicked.connect(self._on_copy)
        cancel = QPushButton("Cancel", self)
        cancel.clicked.connect(self.cancelled)
        buttons = FlowLayout(gap * 2)
        buttons.addWidget(self._copy)
        buttons.addWidget(cancel)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(gap * 2)
        column.addWidget(title)
        column.addWidget(self._camera)
        for box in self._parts.values():
            box.toggled.connect(self._refresh_button)
            column.addWidget(box)
        column.addWidget(note)
        column.addLayout(buttons)
        column.addStretch(1)
        self.setFocusProxy(self._camera)

    def show_cameras(self, cameras: tuple[Camera, ...]) -> None:
        """Offer these; the first with something drawn on it is chosen."""
        self._scenes = {camera.camera_id: camera.scene for camera in cameras}
        self._camera.clear()
        for camera in cameras:
            self._camera.addItem(camera.name, camera.camera_id)
        drawn = (index for index, camera in enumerate(cameras) if camera.scene != Scene())
        self._camera.setCurrentIndex(next(drawn, 0 if cameras else -1))
        self._refresh()

    def _refresh(self) -> None:
        scene = self._scenes.get(str(self._camera.currentData()), Scene())
        for part, box in self._parts.items():
            n_items = _count(scene, part)
            box.setText(counted(n_items, part) if n_items else f"No {part.value}")
            box.setEnabled(n_items > 0)
            box.setChecked(n_items > 0 and part not in _REPLACES)
        self._refresh_button()

    def _refresh_button(self) -> None:
        self._copy.setEnabled(any(box.isChecked() for box in self._parts.values()))

    def _on_copy(self) -> None:
        parts = tuple(part for part, box in self._parts.items() if box.isChecked())
        self.copy_requested.emit(str(self._camera.currentData()), parts)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc leaves."""
        if event.key() == Qt.Key.Key_Escape:
            self.cancelled.emit()
            return
        super().keyPressEvent(event)


def _count(scene: Scene, part: Part) -> int:
    if part is Part.PLANE:
        return len(scene.plane.points) if scene.plane is not None else 0
    return len(getattr(scene, "rules" if part is Part.RULES else part.value))
