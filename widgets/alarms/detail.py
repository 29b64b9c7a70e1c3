"""What the operator reads about the selected alarm, and where a comment is written."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from functools import partial

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from core.incidents.model import Alarm, AlarmState, Clip, ClipInfo, Priority
from core.kernel.errors import ConsoleError, NotPermittedError, UnavailableError
from core.node.model import Trend
from widgets.alarms.actions import ACTION_WORDS, Action
from widgets.alarms.clip_bar import ClipBar
from widgets.alarms.order import STATE_WORDS, hold_text, remark
from widgets.alarms.trend import TrendChart
from widgets.base.flow import FlowLayout
from widgets.base.labels import hairline
from widgets.base.state_overlay import PanelState, StateOverlay, paint_sentence
from widgets.base.symbols import PrioritySymbol
from widgets.base.theme import look, set_role
from widgets.base.times import format_instant
from widgets.rules.checklist import AlarmGuidance

_FACTS = ("State", "Held", "Remark", "Source", "Raised", "Returned", "Acknowledged", "Repeats", "Comment")
_LEAST_EM = 18.5
"""Room for the facts and the scroll bar, in letters; with less they would be cut."""
_COMMENT_HINT = "Comment   C"


class Snapshot(QWidget):
    """The picture of an incident, as large as there is room, never cut."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image = QImage()
        self._sentence = ""
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.show_nothing("No picture")

    @property
    def has_picture(self) -> bool:
        """Whether a picture is shown."""
        return not self._image.isNull()

    def show_picture(self, content: bytes) -> None:
        """Show a JPEG or PNG; anything else gets a sentence."""
        self._image = QImage.fromData(content)
        if self._image.isNull():
            self.show_nothing("The picture of this alarm cannot be read.")
            return
        self.setAccessibleName("Picture of the alarm")
        self.updateGeometry()
        self.update()

    def show_nothing(self, sentence: str) -> None:
        """Say why there is no picture."""
        self._image, self._sentence = QImage(), sentence
        self.setAccessibleName(sentence)
        self.updateGeometry()
        self.update()

    def heightForWidth(self, width: int) -> int:
        """Return the height that shows the picture without bars, within reason."""
        if self._image.isNull():
            return round(width * 0.3)
        whole = round(width * self._image.height() / self._image.width())
        return min(whole, round(width * 0.75), look().sizes.body * 20)

    def sizeHint(self) -> QSize:
        """Return a small size: the layout gives more."""
        return QSize(200, self.heightForWidth(200))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the picture, letterboxed."""
        made = look()
        with QPainter(self) as painter:
            room = QRectF(self.rect())
            painter.fillRect(room, made.color("picture"))
            if self._image.isNull():
                dim = made.theme.on_picture_secondary
                paint_sentence(painter, room, self._sentence, "", dim, dim)
            else:
                size = self._image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
                target = QRectF(0, 0, size.width(), size.height())
                target.moveCenter(room.center())
                painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
                painter.drawImage(target, self._image)


class CommentField(QLineEdit):
    """One line; Enter sends it, Esc steps out.

    Signals:
        left(): Esc was pressed.
    """

    left = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Step out with Esc."""
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
            return
        super().keyPressEvent(event)


class AlarmDetail(QScrollArea):
    """Title, picture, times, who, what to do; acknowledge, go to, comment.

    Signals:
        acknowledge_clicked(): For the alarm that is shown.
        goto_clicked(): For the alarm that is shown.
        comment_entered(str): Enter in the comment field.
        action_clicked(object): The `Action` to begin for the alarm that is shown.
        put_back_clicked(): Show the room as it was.
        left(): Back to the list.
    """

    action_clicked = Signal(object)
    put_back_clicked = Signal()
    acknowledge_clicked = Signal()
    goto_clicked = Signal()
    comment_entered = Signal(str)
    clip_wanted = Signal(str, str)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._alarm: Alarm | None = None
        self._build()
        self._overlay = StateOverlay(self)
        self.show_none()

    def _build(self) -> None:
        sizes = look().sizes
        gap = sizes.gap
        body = QWidget(self)
        self._column = QVBoxLayout(body)
        self._column.setContentsMargins(gap * 3, gap * 2, gap * 3, gap * 2)
        self._column.setSpacing(gap * 2)
        self._upper = self._build_upper(body)
        self._comment = CommentField(body)
        self._comment.setPlaceholderText(_COMMENT_HINT)
        self._comment.setAccessibleName("Comment on the alarm; Enter saves it")
        self._comment.setMaxLength(500)
        self._comment.returnPressed.connect(lambda: self.comment_entered.emit(self.comment_draft))
        self._comment.left.connect(self.left)
        self._lower = self._build_lower(body)
        for part in (self._upper, self._comment, self._lower):
            self._column.addWidget(part)
        self._column.addStretch(1)
        self.setWidget(body)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMinimumWidth(round(sizes.body * _LEAST_EM))
        self.setAccessibleName("Selected alarm")

    def _build_upper(self, parent: QWidget) -> QWidget:
        gap = look().sizes.gap
        upper = QWidget(parent)
        column = QVBoxLayout(upper)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(gap * 2)
        head = QHBoxLayout()
        head.setSpacing(gap * 2)
        self._symbol = PrioritySymbol(Priority.LOW, upper)
        self._title = _wrapped("title", upper)
        head.addWidget(self._symbol, 0, Qt.AlignmentFlag.AlignTop)
        head.addWidget(self._title, 1)
        column.addLayout(head)
        self._sentence = _wrapped("", upper)
        column.addWidget(self._sentence)
        column.addLayout(self._build_buttons(upper))
        return upper

    def _build_lower(self, parent: QWidget) -> QWidget:
        gap = look().sizes.gap
        lower = QWidget(parent)
        column = QVBoxLayout(lower)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(gap * 2)
        self._snapshot = Snapshot(lower)
        column.addWidget(self._snapshot)
        self._clip = ClipBar(lower)
        self._clip.picture_wanted.connect(self.show_snapshot)
        self._clip.clip_wanted.connect(self.clip_wanted)
        column.addWidget(self._clip)
        self._trend = TrendChart(lower)
        column.addWidget(self._trend)
        column.addWidget(hairline(lower))
        self.guidance = AlarmGuidance(lower)
        column.addWidget(self.guidance)
        column.addWidget(hairline(lower))
        grid = QGridLayout()
        grid.setHorizontalSpacing(gap * 3)
        grid.setVerticalSpacing(gap)
        grid.setColumnStretch(1, 1)
        self._facts: dict[str, QLabel] = {}
        self._fact_names: dict[str, QLabel] = {}
        for row, name in enumerate(_FACTS):
            label = QLabel(name, lower)
            set_role(label, "caption")
            value = _wrapped("", lower)
            grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(value, row, 1)
            self._fact_names[name] = label
            self._facts[name] = value
        column.addLayout(grid)
        # Seldom wanted, so that it may stand below what is read first.
        column.addWidget(self._answers[Action.TAKE_OUT], 0, Qt.AlignmentFlag.AlignLeft)
        return lower

    def _build_buttons(self, parent: QWidget) -> FlowLayout:
        row = FlowLayout(look().sizes.gap * 2)
        self._acknowledge = QPushButton("Acknowledge", parent)
        self._acknowledge.setToolTip("Acknowledge (Space or A)")
        set_role(self._acknowledge, "primary")
        self._acknowledge.clicked.connect(self.acknowledge_clicked)
        self._goto = QPushButton("Go to", parent)
        self._goto.setToolTip("Show camera and map (G or Enter)")
        self._goto.clicked.connect(self.goto_clicked)
        self._put_back = QPushButton("Put back", parent)
        self._put_back.clicked.connect(self.put_back_clicked)
        self._put_back.hide()
        self._answers: dict[Action, QPushButton] = {}
        row.addWidget(self._acknowledge)
        row.addWidget(self._goto)
        for action, words in ACTION_WORDS.items():
            if action is Action.ACKNOWLEDGE:
                continue
            button = QPushButton(words, parent)
            button.clicked.connect(partial(self.action_clicked.emit, action))
            button.hide()
            self._answers[action] = button
            if action is not Action.TAKE_OUT:
                row.addWidget(button)
        row.addWidget(self._put_back)
        return row

    def focus_step(self) -> None:
        """Let the keys go to the next step of the guidance that is not ticked."""
        box = self.guidance.next_step
        if box is not None:
            box.setFocus(Qt.FocusReason.ShortcutFocusReason)
            self.ensureWidgetVisible(box)

    @property
    def comment_draft(self) -> str:
        """What stands in the comment field."""
        return self._comment.text().strip()

    @property
    def alarm_id(self) -> str | None:
        """Which alarm is shown."""
        return self._alarm.alarm_id if self._alarm is not None else None

    @property
    def has_picture(self) -> bool:
        """Whether a snapshot is shown."""
        return self._snapshot.has_picture

    def show_alarm(self, alarm: Alarm, sent_text: str = "", actions: Collection[Action] = ()) -> None:
        """Show an alarm, or a newer version of the one that is shown; a draft stays while it is the same alarm.

        Args:
            alarm: The alarm.
            sent_text: What became of an answer that is on its way.
            actions: What may be done with it.
        """
        if alarm.alarm_id != self.alarm_id:
            self._comment.clear()
            self._clip.show_clips(())
            self._clip.show_clip(None)
            self._trend.show_trend(None, alarm.raised_at)
            has_path = bool(alarm.incident_id)
            self._snapshot.show_nothing("Loading the picture" if has_path else "No picture")
        self._alarm = alarm
        self._overlay.clear()
        self._symbol.set_priority(alarm.priority)
        self._symbol.set_hollow(not alarm.is_calling or alarm.state is AlarmState.RETURNED_UNACKNOWLEDGED)
        self._title.setText(alarm.title)
        self._sentence.setText(alarm.detail)
        self._sentence.setVisible(bool(alarm.detail))
        self.guidance.show_alarm(alarm)
        self._acknowledge.setEnabled(alarm.is_calling and not sent_text)
        self._acknowledge.setText(sent_text or ("Acknowledge" if alarm.is_calling else "Acknowledged"))
        is_taken_back = Action.UNACKNOWLEDGE in actions
        self._acknowledge.setVisible(not alarm.is_suppressed_or_shelved and alarm.is_open and not is_taken_back)
        for action, button in self._answers.items():
            button.setVisible(action in actions)
            button.setEnabled(not sent_text)
        acknowledged = ""
        if alarm.acknowledged_at is not None and alarm.is_acknowledged:
            who = f"{alarm.acknowledged_by} · {alarm.acknowledged_desk}".strip(" ·")
            acknowledged = f"{who}\n{format_instant(alarm.acknowledged_at)}"
        self._facts["State"].setText(STATE_WORDS[alarm.state])
        self._show_fact("Held", hold_text(alarm, datetime.now(UTC)))
        self._show_fact("Remark", remark(alarm))
        self._facts["Source"].setText(alarm.source_name)
        self._facts["Raised"].setText(format_instant(alarm.raised_at))
        self._facts["Returned"].setText(format_instant(alarm.returned_at) if alarm.returned_at else "--")
        self._facts["Acknowledged"].setText(acknowledged or "--")
        self._facts["Repeats"].setText(str(alarm.n_repeats))
        self._facts["Comment"].setText(alarm.comment or "--")

    def show_put_back(self, keys: str) -> None:
        """Offer to put the room back with these keys; empty where it stands as it was."""
        self._put_back.setVisible(bool(keys))
        self._put_back.setToolTip(f"Show the room as it was before this alarm ({keys})")

    def _show_fact(self, name: str, text: str) -> None:
        """Show a fact that is not always there."""
        for label in (self._fact_names[name], self._facts[name]):
            label.setVisible(bool(text))
        self._facts[name].setText(text)

    def set_only_comment(self, is_wanted: bool) -> None:
        """Show the comment field and nothing else, where there is no room for more."""
        for part in (self._upper, self._lower):
            part.setVisible(not is_wanted)
        margins = self._column.contentsMargins()
        line = self._comment.sizeHint().height() + margins.top() + margins.bottom()
        self.setMinimumHeight(line if is_wanted else 0)
        self.setMaximumHeight(line if is_wanted else 16_777_215)

    def show_none(self) -> None:
        """Say that nothing is selected."""
        self._alarm = None
        self._comment.clear()
        self._overlay.show_state(PanelState.EMPTY, "No alarm selected", "N goes to the next unacknowledged one.")

    def show_snapshot(self, content: bytes) -> None:
        """Show the picture of the alarm; without any content say that there is none."""
        if content:
            self._snapshot.show_picture(content)
        else:
            self._snapshot.show_nothing("No picture")

    def show_clips(self, clips: tuple[ClipInfo, ...]) -> None:
        """Offer the cameras that were asked what they saw before and after."""
        self._clip.show_clips(clips)

    def show_clip(self, clip: Clip | None) -> None:
        """Offer what the camera saw before and after; None where nothing was kept."""
        self._clip.show_clip(clip)

    def show_trend(self, trend: Trend | None) -> None:
        """Show how traffic went around the alarm; None where nothing near by measures."""
        if self._alarm is not None:
            self._trend.show_trend(trend, self._alarm.raised_at)

    def go_to_trend(self) -> None:
        """Bring the trend into view."""
        self.ensureWidgetVisible(self._trend)

    @property
    def trend_text(self) -> str:
        """What a screen reader says of the trend; empty where there is none."""
        return self._trend.text

    @property
    def has_clip(self) -> bool:
        """Whether a clip is offered."""
        return not self._clip.isHidden()

    def focus_comment(self) -> None:
        """Let the operator write."""
        if self._alarm is not None:
            self._comment.setPlaceholderText(_COMMENT_HINT)
            self._comment.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def ask_comment(self, hint: str) -> None:
        """Let the operator write what is missing; `hint` stands in the field until they do."""
        self.focus_comment()
        self._comment.setPlaceholderText(hint)

    def clear_comment(self) -> None:
        """Empty the field: what stood there was sent."""
        self._comment.clear()
        self._comment.setPlaceholderText(_COMMENT_HINT)

    def changeEvent(self, event: QEvent) -> None:
        """Take over another look."""
        if event.type() == QEvent.Type.StyleChange:
            self.setMinimumWidth(round(look().sizes.body * _LEAST_EM))
        super().changeEvent(event)


def _wrapped(role: str, parent: QWidget) -> QLabel:
    label = QLabel(parent)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        set_role(label, role)
    return label


def why_no_picture(error: ConsoleError) -> str:
    """Return, for the place where a picture would be, why it is not there, as far as the answer knows."""
    if isinstance(error, NotPermittedError):
        return f"You may not see this picture. {error}"
    if isinstance(error, UnavailableError):
        return f"The node cannot be asked for the picture now. {error}"
    return str(error)
