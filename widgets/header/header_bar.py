"""The bar along the top of every window: site and time, is the room well, who sits here, what calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QActionGroup, QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from core.access.model import Session
from core.incidents.model import Alarm, Priority
from core.kernel.clock import Clock, SystemClock
from core.kernel.zone import to_site
from core.media.model import StreamReport
from core.node.model import Health, SiteInfo
from widgets.base.conditions import Condition, paint_condition
from widgets.base.labels import ElidedLabel
from widgets.base.symbols import PRIORITY_WORDS, paint_no_priority, paint_priority
from widgets.base.theme import look, set_role
from widgets.header.sound_menu import SoundMenu
from widgets.health.conditions import PartState, at_most, database_state, link_state, node_state, vision_state

SCALES = (0.8, 1.0, 1.25, 1.5, 2.0)
_COMPACT_EM = 110
"""Below this many letters of width, parts that are well go without words."""


class HeaderBar(QFrame):
    """Always there, never closed; all of it is reached by Tab.

    Signals:
        health_clicked(): A lamp; open the health panel.
        alarms_clicked(int): A count; the priority, 1 to 4.
        mute_requested(bool): Silence this desk, or end the silence.
        sound_menu_opened(): Answer with `show_sound_outputs`.
        sound_test_requested()
        sound_output_chosen(str): Name of an output; empty for the system's default.
        speech_switched(bool): Say alarms in words, or do not.
        sign_out_requested()
        theme_requested(str): "dark" or "day".
        scale_requested(float): 0.8 to 2.0.
    """

    health_clicked = Signal()
    alarms_clicked = Signal(int)
    mute_requested = Signal(bool)
    sound_menu_opened = Signal()
    sound_test_requested = Signal()
    sound_output_chosen = Signal(str)
    speech_switched = Signal(bool)
    sign_out_requested = Signal()
    theme_requested = Signal(str)
    scale_requested = Signal(float)

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._clock_fault = ""
        self._health: Health | None = None
        self._streams: Mapping[str, StreamReport] = {}
        self._is_node_gone = False
        self._muted_until: datetime | None = None
        self._sound_problem = ""
        self._session: Session | None = None
        self._build()
        self._ticking = QTimer(self)
        self._ticking.setInterval(250)
        self._ticking.timeout.connect(self.refresh)
        self._ticking.start()
        self.show_session(None)
        self.show_alarms(())
        self.refresh()

    @property
    def lamps(self) -> dict[str, str]:
        """What each lamp says in words: "node", "broker", "database", "vision"."""
        return {key: lamp.state.words for key, lamp in self._lamps.items()}

    @property
    def clock_text(self) -> str:
        """Time of day with its offset."""
        return self._time.text()

    @property
    def date_text(self) -> str:
        """The date, or how wrong this desk's clock is."""
        return self._date.text()

    @property
    def sound_text(self) -> str:
        """What the sound button says."""
        return self._sound.text()

    def count(self, priority: Priority) -> int:
        """Return how many alarms of a priority nobody has acknowledged."""
        return self._counts[priority].count

    def show_site(self, site: SiteInfo) -> None:
        """Name the site."""
        self._site.setText(f"{site.name}  (demonstration)" if site.is_demo else site.name)
        self.refresh()

    def show_clock_fault(self, words: str) -> None:
        """Say how wrong this desk's clock is, e.g. "2 min slow"; empty where it is right."""
        self._clock_fault = words
        tip = (
            f"The clock of this desk is {words}: set it. Here, alarms and incidents go by the node's." if words else ""
        )
        for label in (self._time, self._date):
            label.setToolTip(tip)
        self._date.setAccessibleDescription(tip)
        self.refresh()

    def show_session(self, session: Session | None) -> None:
        """Say who is signed in, and where."""
        self._session = session
        self._operator.setVisible(session is not None)
        self._refresh_operator()

    def show_health(self, health: Health | None) -> None:
        """Light the lamps from what the node said last."""
        self._health = health
        self._is_node_gone = False
        self.refresh()

    def show_streams(self, streams: Mapping[str, StreamReport]) -> None:
        """Count the cameras that have a picture, by camera id."""
        self._streams = dict(streams)
        self.refresh()

    def show_node_gone(self) -> None:
        """Say that the link to the node is down; `show_health` ends it."""
        self._is_node_gone = True
        self.refresh()

    def show_alarms(self, alarms: Iterable[Alarm]) -> None:
        """Count what nobody has acknowledged."""
        counts = Counter(alarm.priority for alarm in alarms if alarm.is_calling)
        for priority, button in self._counts.items():
            button.show_count(counts[priority])

    def show_muted_until(self, until: datetime | None) -> None:
        """Say that this desk is silent, and for how long; None where it is not."""
        self._muted_until = until
        self.refresh()

    def show_sound_state(self, problem: str) -> None:
        """Say why alarms are not heard as they should be; empty where they are."""
        self._sound_problem = problem
        self.refresh()

    def show_sound_outputs(self, names: Iterable[str], chosen: str) -> None:
        """Offer these outputs."""
        self._sound_menu.show_outputs(names, chosen)

    def show_speech(self, is_on: bool, problem: str) -> None:
        """Say whether alarms are said in words, or why they cannot be."""
        self._sound_menu.show_speech(is_on, problem)

    def show_theme(self, key: str, scale: float) -> None:
        """Tick the theme and the size that are in use."""
        for action in (*self._themes.actions(), *self._sizes.actions()):
            action.setChecked(action.data() in (key, scale))

    def add_menu(self, title: str, menu: QMenu) -> None:
        """Put a menu of the window's at the right end of the bar."""
        button = _menu_button(title, self)
        button.setText(title)
        button.setMenu(menu)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        row = self.layout()
        assert isinstance(row, QHBoxLayout)
        row.addWidget(button)

    def refresh(self) -> None:
        """Tell the time, and how old everything is, as of now."""
        now = self._clock.now()
        local = to_site(now)
        self._time.setText(f"{local:%H:%M:%S} {_offset(local)}")
        self._date.setText(f"clock {self._clock_fault}" if self._clock_fault else f"{local:%a %Y-%m-%d}")
        self._refresh_lamps(now)
        self._refresh_sound(now)

    def _build(self) -> None:
        set_role(self, "strip")
        self.setAccessibleName("Header")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        gap = look().sizes.gap
        self._site = ElidedLabel("Watchfloor", self)
        set_role(self._site, "title")
        self._site.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._time, self._date = QLabel(self), QLabel(self)
        set_role(self._time, "clock")
        set_role(self._date, "caption")
        self._lamps = {key: _Lamp(key.capitalize(), self) for key in ("node", "broker", "database", "vision")}
        self._counts = {priority: _Count(priority, self) for priority in Priority}
        self._sound = _menu_button("Sound", self)
        self._sound.clicked.connect(self._on_sound)
        self._sound_menu = SoundMenu(self)
        self._sound_menu.aboutToShow.connect(self.sound_menu_opened)
        self._sound_menu.test_requested.connect(self.sound_test_requested)
        self._sound_menu.output_chosen.connect(self.sound_output_chosen)
        self._sound_menu.speech_switched.connect(self.speech_switched)
        self._sound_more = _menu_button("Sound settings", self)
        self._sound_more.setText("▾")
        set_role(self._sound_more, "gauge")
        self._sound_more.setToolTip("Test the sound, choose the loudspeaker, speech")
        self._sound_more.setMenu(self._sound_menu)
        self._sound_more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._operator = _menu_button("Operator", self)
        self._operator.setMenu(self._build_operator_menu())
        self._operator.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._look_button = _menu_button("Look", self)
        self._look_button.setText("Look")
        self._look_button.setMenu(self._build_look_menu())
        self._look_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        clock = QVBoxLayout()
        clock.setSpacing(0)
        clock.addWidget(self._time)
        clock.addWidget(self._date)
        row = QHBoxLayout(self)
        row.setContentsMargins(gap * 3, gap, gap, gap)
        row.setSpacing(gap)
        row.addWidget(self._site, 1)
        row.addLayout(clock)
        row.addSpacing(gap)
        for lamp in self._lamps.values():
            lamp.clicked.connect(self.health_clicked)
            row.addWidget(lamp)
        row.addSpacing(gap)
        for priority, button in self._counts.items():
            button.clicked.connect(lambda _checked=False, number=int(priority): self.alarms_clicked.emit(number))
            row.addWidget(button)
        row.addSpacing(gap)
        for widget in (self._sound, self._sound_more, self._operator, self._look_button):
            row.addWidget(widget)

    def _build_operator_menu(self) -> QMenu:
        menu = QMenu(self)
        self._who = menu.addAction("Nobody is signed in")
        self._who.setEnabled(False)
        menu.addSeparator()
        menu.addAction("Sign out", self.sign_out_requested.emit)
        return menu

    def _build_look_menu(self) -> QMenu:
        menu = QMenu(self)
        self._themes, self._sizes = QActionGroup(self), QActionGroup(self)
        for key, words in (("dark", "Dark, for a dim room"), ("day", "Light, for a bright room")):
            action = _choice(menu, self._themes, words, key)
            action.triggered.connect(lambda _checked=False, chosen=key: self.theme_requested.emit(chosen))
        menu.addSeparator()
        for scale in SCALES:
            action = _choice(menu, self._sizes, f"Text at {100 * scale:.0f} %", scale)
            action.triggered.connect(lambda _checked=False, chosen=scale: self.scale_requested.emit(chosen))
        return menu

    def _refresh_lamps(self, now: datetime) -> None:
        node = node_state(self._health, now)
        if self._is_node_gone:
            node = PartState(condition=Condition.LOST, words="gone", reason="The link to the node is down.")
        link = self._health.link if self._health is not None else None
        states = {
            "node": node,
            "broker": at_most(link_state(link), node),
            "database": at_most(database_state(self._health), node),
            "vision": at_most(vision_state(self._health, self._streams), node),
        }
        age_s = None if self._health is None else (now - self._health.at).total_seconds()
        for key, lamp in self._lamps.items():
            lamp.show_state(states[key], age_s)

    def _refresh_sound(self, now: datetime) -> None:
        left_s = 0.0 if self._muted_until is None else (self._muted_until - now).total_seconds()
        if self._sound_problem:
            text, tip = "Sound fault", f"{self._sound_problem} The arrow beside this has a test and other outputs."
        elif left_s > 0:
            minutes, seconds = divmod(round(left_s), 60)
            text, tip = f"Muted {minutes:02d}:{seconds:02d}", "Press to hear alarms again."
        else:
            text, tip = (
                "Sound on",
                "Press to silence this desk for a while; a new critical alarm is still heard.",
            )
        if self._sound.text() != text:
            self._sound.setText(text)
            self._sound.setToolTip(tip)
            self._sound.setAccessibleName(text)

    def _refresh_operator(self) -> None:
        if self._session is None:
            return
        user, desk = self._session.user, self._session.desk
        words = f"{user.name}, {user.role.name.lower()}"
        place = f"desk {desk}" if desk else "no desk"
        self._operator.setText(user.name if self._is_compact else f"{words}, {place}")
        self._operator.setToolTip(f"{words}, {place}")
        self._operator.setAccessibleName(f"Signed in: {words}, {place}")
        self._who.setText(f"{words}, {place}")

    @property
    def _is_compact(self) -> bool:
        return self.width() < look().sizes.body * _COMPACT_EM

    def _on_sound(self) -> None:
        is_muted = self._muted_until is not None and self._muted_until > self._clock.now()
        self.mute_requested.emit(not is_muted)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave words away where there is no room for them."""
        super().resizeEvent(event)
        for lamp in self._lamps.values():
            lamp.set_compact(self._is_compact)
        self._refresh_operator()
        self._refresh_sound(self._clock.now())


class _Lamp(QToolButton):
    """One part of the room: symbol, name, and words where it is not well or where there is room."""

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._name = name
        self.state = PartState(condition=Condition.UNKNOWN, words="--")
        self._is_compact = False
        set_role(self, "gauge")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._refresh()

    def show_state(self, state: PartState, age_s: float | None) -> None:
        """Show how the part is, as of `age_s` ago."""
        age = "" if age_s is None else f"\nAs of {age_s:.0f} s ago."
        self.setToolTip(f"{self._name}: {state.words}. {state.reason}".strip() + age)
        if state != self.state:
            self.state = state
            self._refresh()

    def set_compact(self, is_compact: bool) -> None:
        """Go without words while the part is well."""
        if is_compact is not self._is_compact:
            self._is_compact = is_compact
            self._refresh()

    def _refresh(self) -> None:
        self.setAccessibleName(f"{self._name}: {self.state.words}")
        self.updateGeometry()
        self.update()

    @property
    def _words(self) -> str:
        has_words = not self._is_compact or self.state.condition not in (Condition.OK, Condition.UNKNOWN)
        return self.state.words if has_words else ""

    def sizeHint(self) -> QSize:
        """Return room for the symbol and the words."""
        made = look()
        metrics = QFontMetrics(made.font(made.sizes.small))
        widest = max(metrics.horizontalAdvance(self._name), metrics.horizontalAdvance(self._words[:28]))
        width = widest + round(made.sizes.body * 1.9)
        return QSize(width, max(made.sizes.control, metrics.height() * 2 + 4))

    def minimumSizeHint(self) -> QSize:
        """Return the same: a lamp is not cut."""
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint symbol, name and words."""
        super().paintEvent(event)
        made = look()
        with QPainter(self) as painter:
            side = made.sizes.body * 0.95
            room = QRectF(self.rect()).adjusted(made.sizes.gap, 0, -made.sizes.gap, 0)
            paint_condition(
                painter, QRectF(room.left(), room.center().y() - side / 2, side, side), self.state.condition, made
            )
            text = room.adjusted(side + made.sizes.gap, 0, 0, 0)
            left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
            words = self._words
            if not words:
                painter.setFont(made.font(made.sizes.small))
                painter.setPen(made.color("text_secondary"))
                painter.drawText(text, int(left), self._name)
            else:
                upper = QRectF(text.left(), text.top(), text.width(), text.height() / 2).adjusted(0, 2, 0, 0)
                painter.setFont(made.font(made.sizes.caption))
                painter.setPen(made.color("text_secondary"))
                painter.drawText(upper, int(left), self._name)
                painter.setFont(made.font(made.sizes.small))
                painter.setPen(made.color("text"))
                lower = upper.translated(0, text.height() / 2 - 2)
                cut = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, round(lower.width()))
                painter.drawText(lower, int(left), cut)


class _Count(QToolButton):
    """How many alarms of one priority call; hollow and grey where there is none."""

    def __init__(self, priority: Priority, parent: QWidget) -> None:
        super().__init__(parent)
        self._priority = priority
        self.count = -1
        set_role(self, "gauge")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_count(self, count: int) -> None:
        """Show a number."""
        if count == self.count:
            return
        self.count = count
        words = f"{count} {PRIORITY_WORDS[self._priority].lower()} not acknowledged"
        self.setAccessibleName(words)
        self.setToolTip(words)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for symbol and number."""
        made = look()
        digits = "0" * max(2, len(str(self.count)))
        return QSize(round(made.sizes.body * 2.1) + self.fontMetrics().horizontalAdvance(digits), made.sizes.control)

    def minimumSizeHint(self) -> QSize:
        """Return the same: a count is not cut."""
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint symbol and number."""
        super().paintEvent(event)
        made = look()
        with QPainter(self) as painter:
            side = made.sizes.body * 1.15
            box = QRectF(made.sizes.gap * 1.5, (self.height() - side) / 2, side, side)
            paint = paint_priority if self.count else paint_no_priority
            paint(painter, box, self._priority, made)
            painter.setFont(made.font(made.sizes.body))
            painter.setPen(made.color("text" if self.count else "text_disabled"))
            text = QRectF(self.rect()).adjusted(box.right() + made.sizes.gap, 0, 0, 0)
            painter.drawText(text, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), str(self.count))

    def changeEvent(self, event: QEvent) -> None:
        """Take the new size."""
        if event.type() == QEvent.Type.StyleChange:
            self.updateGeometry()
        super().changeEvent(event)


def _menu_button(name: str, parent: QWidget) -> QToolButton:
    button = QToolButton(parent)
    button.setAccessibleName(name)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
    set_role(button, "quiet")
    return button


def _choice(menu: QMenu, group: QActionGroup, words: str, data: object) -> QAction:
    action = menu.addAction(words)
    action.setCheckable(True)
    action.setData(data)
    group.addAction(action)
    return action


def _offset(local: datetime) -> str:
    text = f"{local:%z}"
    return f"{text[:3]}:{text[3:5]}"
