"""Turn a camera while a button or key is held, and send it to the directions that it remembers."""

from __future__ import annotations

from enum import Enum

from PySide6.QtCore import QEvent, QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QHideEvent, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.access.model import Role
from core.cameras.onvif.model import Preset, PtzHead, Steering, Velocity
from widgets.base.flow import FlowLayout
from widgets.base.labels import ElidedLabel
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.theme import look, set_role
from widgets.base.times import format_clock

RENEW_MS = 400
"""The node stops a camera whose move is not renewed for three of these."""

_MAX_NAME = 60
_SPEEDS = (("Slow", 0.15), ("Medium", 0.4), ("Fast", 1.0))


class Way(Enum):
    """A way in which a camera turns: pan, tilt, zoom."""

    UP_LEFT = (-1, 1, 0)
    UP = (0, 1, 0)
    UP_RIGHT = (1, 1, 0)
    LEFT = (-1, 0, 0)
    RIGHT = (1, 0, 0)
    DOWN_LEFT = (-1, -1, 0)
    DOWN = (0, -1, 0)
    DOWN_RIGHT = (1, -1, 0)
    ZOOM_IN = (0, 0, 1)
    ZOOM_OUT = (0, 0, -1)


_BUTTONS = (
    (Way.UP_LEFT, "↖", "Up left", 0, 0),
    (Way.UP, "↑", "Up", 0, 1),
    (Way.UP_RIGHT, "↗", "Up right", 0, 2),
    (Way.LEFT, "←", "Left", 1, 0),
    (Way.RIGHT, "→", "Right", 1, 2),
    (Way.DOWN_LEFT, "↙", "Down left", 2, 0),
    (Way.DOWN, "↓", "Down", 2, 1),
    (Way.DOWN_RIGHT, "↘", "Down right", 2, 2),
    (Way.ZOOM_IN, "+", "Zoom in", 0, 3),
    (Way.ZOOM_OUT, "-", "Zoom out", 2, 3),
)
_KEYS = {
    Qt.Key.Key_Left: Way.LEFT,
    Qt.Key.Key_Right: Way.RIGHT,
    Qt.Key.Key_Up: Way.UP,
    Qt.Key.Key_Down: Way.DOWN,
    Qt.Key.Key_Plus: Way.ZOOM_IN,
    Qt.Key.Key_Equal: Way.ZOOM_IN,
    Qt.Key.Key_Minus: Way.ZOOM_OUT,
}


def way_of_key(key: int) -> Way | None:
    """Return the way in which a key turns; None for other keys."""
    return next((way for one, way in _KEYS.items() if one == key), None)


class PtzPad(QWidget):
    """Buttons on the left, presets on the right.

    Signals:
        move_requested(Velocity): Turn so; again every `RENEW_MS` while it is held.
        stop_requested()
        preset_requested(str): Its token; empty for home.
        home_here_requested(): The scene is drawn for where the head stands now.
        set_preset_requested(str, str): Name, and token of the preset to replace or nothing.
        remove_preset_requested(str)
    """

    move_requested = Signal(object)
    stop_requested = Signal()
    preset_requested = Signal(str)
    set_preset_requested = Signal(str, str)
    remove_preset_requested = Signal(str)
    home_here_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._head: PtzHead | None = None
        self._role = Role.VIEWER
        self._camera_is_away = False
        self._held: set[Way] = set()
        self._naming = ""
        self._build()
        self._renewing = QTimer(self)
        self._renewing.setInterval(RENEW_MS)
        self._renewing.timeout.connect(self._on_renew)
        application = QGuiApplication.instance()
        if isinstance(application, QGuiApplication):
            application.applicationStateChanged.connect(self._on_application_state)
        self.show_nothing("No camera is selected.", "Click a tile, a marker or a camera in the list.")

    @property
    def is_turning(self) -> bool:
        """A button or key is held."""
        return bool(self._held)

    def show_nothing(self, sentence: str, hint: str = "") -> None:
        """There is nothing to steer, and why."""
        self.let_all_go()
        self._head = None
        self._title.setText("")
        self._say("")
        self._presets.clear()
        self._overlay.show_state(PanelState.EMPTY, sentence, hint)
        self._refresh()

    def show_asking(self, name: str) -> None:
        """A camera is asked what it can do."""
        self.show_nothing("Asking the camera.")
        self._overlay.show_state(PanelState.LOADING, f"Asking {name}.", "")

    def show_head(self, name: str, head: PtzHead) -> None:
        """Steer this camera."""
        if self._head is not None and self._head.camera_id != head.camera_id:
            self.let_all_go()
        self._head = head
        self._title.setText(name)
        self._overlay.clear()
        self.show_presets(head.presets)
        self._refresh()

    def show_presets(self, presets: tuple[Preset, ...]) -> None:
        """Show the directions that the camera remembers."""
        kept = self._current_token()
        with QSignalBlocker(self._presets):
            self._presets.clear()
            for preset in presets:
                item = QListWidgetItem(preset.name)
                item.setData(Qt.ItemDataRole.UserRole, preset.token)
                self._presets.addItem(item)
                if preset.token == kept:
                    self._presets.setCurrentItem(item)
        self._refresh()

    def show_steering(self, steering: Steering | None, *, is_mine: bool) -> None:
        """Say who steers this camera."""
        if steering is None or not steering.by:
            self._who.setText("")
        elif is_mine:
            self._who.setText("You steer.")
        else:
            self._who.setText(f"{steering.by} steers" + (f" at {steering.desk}." if steering.desk else "."))
        self._who.setVisible(bool(self._who.text()))
        self._camera_is_away = steering is not None and steering.away_since is not None
        away_since = None if steering is None else steering.away_since
        self._away.setVisible(away_since is not None)
        if away_since is not None:
            self._away.setText(
                f"Away from home since {format_clock(away_since)}: the rules of its scene rest until ⌂ brings it back."
            )
        self._refresh()

    def show_role(self, role: Role) -> None:
        """Offer what this role may do; the node decides."""
        self._role = role
        self._refresh()

    def show_refused(self, sentence: str, hint: str = "") -> None:
        """Say why the camera did not do it, and stop asking."""
        self._held.clear()
        self._renewing.stop()
        self._say(f"{sentence} {hint}".strip())

    def hold(self, way: Way) -> None:
        """Begin to turn, or turn another way as well."""
        if not self._may_steer() or way in self._held:
            return
        self._held.add(way)
        self._say("")
        self._renewing.start()
        self._on_renew()

    def let_go(self, way: Way) -> None:
        """End to turn that way."""
        if way not in self._held:
            return
        self._held.discard(way)
        if self._held:
            self._on_renew()
        else:
            self._renewing.stop()
            self.stop_requested.emit()

    def let_all_go(self) -> None:
        """Stop, whatever is held."""
        was_turning, self._held = bool(self._held), set()
        if was_turning:
            self._renewing.stop()
            self.stop_requested.emit()

    def _build(self) -> None:
        gap = look().sizes.gap
        self._title, self._who = ElidedLabel("", self), ElidedLabel("", self)
        set_role(self._title, "title")
        set_role(self._who, "secondary")
        body = QHBoxLayout()
        body.setSpacing(gap * 4)
        body.addLayout(self._build_buttons())
        body.addLayout(self._build_presets(), 1)
        self._note = QLabel(self)
        self._note.setWordWrap(True)
        self._note.setTextFormat(Qt.TextFormat.PlainText)
        self._note.hide()
        self._home_by_word = QPushButton("Home is here", self)
        self._home_by_word.setToolTip("The scene is drawn for what the camera shows now, though it cannot be asked")
        self._home_by_word.clicked.connect(self.home_here_requested.emit)
        self._home_by_word.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(gap * 3, gap * 2, gap * 3, gap * 2)
        column.setSpacing(gap)
        self._away = QLabel(self)
        self._away.setWordWrap(True)
        self._away.setTextFormat(Qt.TextFormat.PlainText)
        set_role(self._away, "secondary")
        self._away.hide()
        for widget in (self._title, self._who, self._away):
            column.addWidget(widget)
        column.addLayout(body, 1)
        column.addWidget(self._note)
        column.addWidget(self._home_by_word, 0, Qt.AlignmentFlag.AlignHCenter)
        self._overlay = StateOverlay(self)

    def _build_buttons(self) -> QVBoxLayout:
        gap = look().sizes.gap
        grid = QGridLayout()
        grid.setSpacing(gap)
        self._ways: dict[Way, QPushButton] = {}
        for way, sign, name, row, place in _BUTTONS:
            button = QPushButton(sign, self)
            button.setAccessibleName(name)
            button.setToolTip(name)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            set_role(button, "icon")
            button.pressed.connect(lambda way=way: self.hold(way))
            button.released.connect(lambda way=way: self.let_go(way))
            grid.addWidget(button, row, place)
            self._ways[way] = button
        self._home = QPushButton("⌂", self)
        self._home.setAccessibleName("Home")
        self._home.setToolTip("Home: the view that the scene was drawn for")
        set_role(self._home, "icon")
        self._home.clicked.connect(lambda: self.preset_requested.emit(""))
        grid.addWidget(self._home, 1, 1)
        self._speed = QComboBox(self)
        self._speed.setAccessibleName("Speed")
        for word, speed in _SPEEDS:
            self._speed.addItem(word, speed)
        self._speed.setCurrentIndex(1)
        self._speed.setToolTip("Alt and the arrows turn, Alt + and Alt - zoom")
        column = QVBoxLayout()
        column.setSpacing(gap)
        column.addLayout(grid)
        column.addWidget(self._speed)
        column.addStretch(1)
        return column

    def _build_presets(self) -> QVBoxLayout:
        self._presets = QListWidget(self)
        self._presets.setAccessibleName("Presets")
        self._presets.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._presets.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._presets.itemActivated.connect(lambda _item: self._on_go())
        self._presets.currentRowChanged.connect(lambda _row: self._refresh())
        self._no_presets = StateOverlay(self._presets.viewport())
        self._name = QLineEdit(self)
        self._name.setAccessibleName("Name of the preset")
        self._name.setPlaceholderText("Name, then Enter")
        self._name.setMaxLength(_MAX_NAME)
        self._name.returnPressed.connect(self._on_named)
        self._name.hide()
        self._go = QPushButton("Go", self)
        self._go.clicked.connect(self._on_go)
        self._keep = QPushButton("Save", self)
        self._keep.setToolTip("Remember the direction of now under a name")
        self._keep.clicked.connect(self._on_keep)
        self._remove = QPushButton("Remove", self)
        self._remove.clicked.connect(self._on_remove)
        buttons = FlowLayout(look().sizes.gap)
        self._home_here = QPushButton("Home is here", self)
        self._home_here.setToolTip("The scene is drawn for where the head stands now")
        self._home_here.clicked.connect(self.home_here_requested.emit)
        for button in (self._go, self._keep, self._remove, self._home_here):
            buttons.addWidget(button)
        column = QVBoxLayout()
        column.setSpacing(look().sizes.gap)
        column.addWidget(self._presets, 1)
        column.addWidget(self._name)
        column.addLayout(buttons)
        return column

    def _may_steer(self) -> bool:
        return self._head is not None and self._role >= Role.OPERATOR

    def _current_token(self) -> str:
        item = self._presets.currentItem()
        return str(item.data(Qt.ItemDataRole.UserRole)) if item is not None else ""

    def _say(self, text: str) -> None:
        self._note.setText(text)
        self._note.setVisible(bool(text))

    def _refresh(self) -> None:
        abilities = self._head.abilities if self._head is not None else None
        may = self._may_steer()
        for way, button in self._ways.items():
            is_able = abilities is not None and (abilities.can_zoom if way.value[2] else abilities.can_turn)
            button.setEnabled(may and is_able)
            is_refused = self._head is not None and not may
            button.setToolTip("Steering needs the role operator." if is_refused else button.accessibleName())
        self._home.setEnabled(may and abilities is not None and abilities.has_home)
        has_preset, may_set = bool(self._current_token()), may and self._role >= Role.SUPERVISOR
        self._go.setEnabled(may and has_preset)
        self._keep.setVisible(may_set)
        self._remove.setVisible(may_set)
        self._home_here.setVisible(may_set)
        # Above the overlay that says why nothing can be steered: who is away must have a way back.
        cannot_ask = self._head is None and self._overlay.state is not PanelState.LOADING
        self._home_by_word.setVisible(cannot_ask and self._camera_is_away and self._role >= Role.SUPERVISOR)
        for shown in (self._away, self._home_by_word):
            shown.raise_()
        self._remove.setEnabled(may_set and has_preset)
        if self._presets.count():
            self._no_presets.clear()
        else:
            self._no_presets.show_state(
                PanelState.EMPTY, "No presets.", "Turn the camera, then Save." if may_set else ""
            )

    def _velocity(self) -> Velocity:
        speed = float(self._speed.currentData())
        pan, tilt, zoom = (max(-1, min(1, sum(way.value[axis] for way in self._held))) for axis in range(3))
        return Velocity(pan=pan * speed, tilt=tilt * speed, zoom=zoom * speed)

    def _on_renew(self) -> None:
        self.move_requested.emit(self._velocity())

    def _on_go(self) -> None:
        token = self._current_token()
        if token and self._may_steer():
            self._say("")
            self.preset_requested.emit(token)

    def _on_keep(self) -> None:
        self._name.show()
        item = self._presets.currentItem()
        self._name.setText(item.text() if item is not None else "")
        self._name.selectAll()
        self._name.setFocus()

    def _on_named(self) -> None:
        name = self._name.text().strip()
        if not name:
            return
        # A name that is there already means that one: its direction is set anew.
        same = self._presets.findItems(name, Qt.MatchFlag.MatchFixedString)
        token = str(same[0].data(Qt.ItemDataRole.UserRole)) if same else ""
        self._name.hide()
        self._presets.setFocus()
        self.set_preset_requested.emit(name, token)

    def _on_remove(self) -> None:
        token = self._current_token()
        if token:
            self.remove_preset_requested.emit(token)

    def _on_application_state(self, state: Qt.ApplicationState) -> None:
        # The release of a key goes to the other program then.
        if state is not Qt.ApplicationState.ApplicationActive:
            self.let_all_go()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave the name by Esc.

        Arrows alone turn nothing: what the list and the fields leave over of them comes here, and nobody meant it.
        """
        if event.key() == Qt.Key.Key_Escape and self._name.isVisible():
            self._name.hide()
            self._presets.setFocus()
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Stop where the pad can no longer be used."""
        if event.type() in (QEvent.Type.EnabledChange, QEvent.Type.ActivationChange) and not self.isActiveWindow():
            self.let_all_go()
        super().changeEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop: a button that is gone is never released."""
        self.let_all_go()
        super().hideEvent(event)
