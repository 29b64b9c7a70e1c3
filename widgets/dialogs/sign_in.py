"""The page before the room opens: connecting, sign in, or create the first administrator."""

from __future__ import annotations

import math

from PySide6.QtCore import QElapsedTimer, Qt, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from core.node.model import SiteInfo
from widgets.base.theme import look, set_role
from widgets.dialogs.password_field import PasswordField
from widgets.dialogs.password_rules import Rule, rules_for

REFUSED = "Name or password is not right."
"""One sentence for both: nobody learns which names exist."""


class SignInPage(QWidget):
    """Fills the window until someone is signed in. Everything works by Tab and Enter.

    Signals:
        sign_in_requested(str, str): Name and password; answered by leaving the page or by `show_refused`.
        create_administrator_requested(str, str): Name and password of the first administrator.
        retry_requested(): Connect now instead of waiting.
    """

    sign_in_requested = Signal(str, str)
    create_administrator_requested = Signal(str, str)
    retry_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._build()
        self.show_connecting()

    @property
    def error(self) -> str:
        """The sentence above the button; empty where there is none."""
        form = self._stack.currentWidget()
        return form.error if isinstance(form, _Form) else ""

    def show_connecting(self, address: str = "") -> None:
        """Say that the node is being looked for."""
        self._site.setText("Watchfloor")
        self._detail.setText("")
        self._waiting.show_wait("Connecting to the node ...", f"at {address}" if address else "")
        self._stack.setCurrentWidget(self._waiting)

    def show_gone(self, sentence: str, hint: str, retry_in_s: float) -> None:
        """Say that the node is gone, and when it is tried again."""
        self._waiting.show_retry(sentence, hint, retry_in_s)
        self._stack.setCurrentWidget(self._waiting)

    def show_site(self, site: SiteInfo) -> None:
        """Ask who is there; at a site without anybody, for its first administrator; wait while it is starting."""
        self._site.setText(site.name)
        parts = ["Demonstration" if site.is_demo else "", f"Watchfloor {site.version}", *site.notices]
        self._detail.setText("\n".join(part for part in parts if part))
        if not site.is_ready:
            self._waiting.show_wait("The node is starting ...", "")
            self._stack.setCurrentWidget(self._waiting)
            return
        form = self._first if site.needs_administrator else self._sign_in
        self._stack.setCurrentWidget(form)
        form.begin()

    def show_refused(self, sentence: str = REFUSED, hint: str = "", retry_after_s: float = 0.0) -> None:
        """Say that it did not work; the button waits for the back-off."""
        form = self._stack.currentWidget()
        if isinstance(form, _Form):
            form.show_refused(f"{sentence} {hint}".strip(), retry_after_s)

    def _build(self) -> None:
        gap = look().sizes.gap
        card = QFrame(self)
        set_role(card, "card")
        card.setFixedWidth(look().sizes.body * 28)
        self._site = QLabel("Watchfloor", card)
        set_role(self._site, "heading")
        self._site.setWordWrap(True)
        self._detail = QLabel(card)
        set_role(self._detail, "caption")
        self._detail.setWordWrap(True)
        self._detail.setTextFormat(Qt.TextFormat.PlainText)
        self._waiting = _Waiting(card)
        self._sign_in = _SignInForm(card)
        self._first = _FirstRunForm(card)
        self._waiting.retry_requested.connect(self.retry_requested)
        self._sign_in.submitted.connect(self.sign_in_requested)
        self._first.submitted.connect(self.create_administrator_requested)
        self._stack = QStackedWidget(card)
        for page in (self._waiting, self._sign_in, self._first):
            self._stack.addWidget(page)
        self._stack.currentChanged.connect(self._on_page)
        rows = QVBoxLayout(card)
        rows.setContentsMargins(gap * 6, gap * 6, gap * 6, gap * 6)
        rows.setSpacing(gap * 2)
        rows.addWidget(self._site)
        rows.addWidget(self._detail)
        rows.addSpacing(gap * 2)
        rows.addWidget(self._stack)
        outer = QGridLayout(self)
        outer.addWidget(card, 0, 0, Qt.AlignmentFlag.AlignCenter)

    def _on_page(self, index: int) -> None:
        """Make the card as high as the page that is shown, not as the highest one."""
        for place, page in enumerate((self._waiting, self._sign_in, self._first)):
            policy = QSizePolicy.Policy.Preferred if place == index else QSizePolicy.Policy.Ignored
            page.setSizePolicy(QSizePolicy.Policy.Preferred, policy)
        self._stack.updateGeometry()


class _Waiting(QWidget):
    """Connecting, or waiting for the next try."""

    retry_requested = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._sentence = _text(self, "")
        self._hint = _text(self, "secondary")
        self._bar = QProgressBar(self)
        self._bar.setRange(0, 0)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Connecting")
        self._retry = QPushButton("Try now", self)
        self._retry.clicked.connect(self.retry_requested)
        self._countdown = _Countdown(self)
        self._countdown.ticked.connect(self._on_tick)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        for widget in (self._sentence, self._hint, self._bar, self._retry):
            rows.addWidget(widget)
        rows.addStretch(1)

    def show_wait(self, sentence: str, hint: str) -> None:
        """Say what is waited for."""
        self._countdown.stop()
        self._sentence.setText(sentence)
        self._hint.setText(hint)
        self._hint.setVisible(bool(hint))
        self._bar.show()
        self._retry.hide()

    def show_retry(self, sentence: str, hint: str, retry_in_s: float) -> None:
        """Say what is the matter, and count down."""
        self._sentence.setText(sentence)
        self._hint.setText(hint)
        self._hint.setVisible(bool(hint))
        self._bar.hide()
        self._retry.show()
        self._retry.setFocus()
        self._countdown.start(retry_in_s)

    def _on_tick(self, left_s: int) -> None:
        self._retry.setText(f"Try now  (again in {left_s} s)" if left_s else "Trying ...")


class _Form(QWidget):
    """Fields and one button; a refusal is said above the button.

    Signals:
        submitted(str, str): Name and password.
    """

    submitted = Signal(str, str)

    def __init__(self, button: str, busy: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._words, self._busy_words = button, busy
        self._is_busy = False
        self.name = QLineEdit(self)
        self.name.setAccessibleName("Name")
        self.name.setMaxLength(64)
        self.password = PasswordField("Password", self)
        self.password.caps_lock_seen.connect(self._on_caps_lock)
        self._caps = _text(self, "secondary")
        self._caps.setText("Caps Lock seems to be on.")
        self._caps.hide()
        self._error = _text(self, "field-error")
        self._error.hide()
        self.button = QPushButton(button, self)
        set_role(self.button, "primary")
        self.button.clicked.connect(self.submit)
        self._countdown = _Countdown(self)
        self._countdown.ticked.connect(lambda _left: self._refresh())
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(look().sizes.gap)
        self.name.returnPressed.connect(self.submit)
        self.password.returnPressed.connect(self.submit)

    @property
    def error(self) -> str:
        """The sentence above the button."""
        return self._error.text() if not self._error.isHidden() else ""

    def begin(self) -> None:
        """Wait for input; what was typed before is kept, but no password."""
        self._is_busy = False
        self.password.clear()
        self._refresh()
        (self.password if self.name.text() else self.name).setFocus()

    def show_refused(self, sentence: str, retry_after_s: float) -> None:
        """Say that it did not work; wait where the node wants that."""
        self._is_busy = False
        self._error.setText(sentence)
        self._error.show()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self._error, sentence))
        if retry_after_s > 0:
            self._countdown.start(retry_after_s)
        self.password.clear()
        self._refresh()
        self.password.setFocus()

    def submit(self) -> None:
        """Send what is typed, or go to the first field that lacks something."""
        if self._is_busy or self._countdown.left_s:
            return
        lacking = self._lacking()
        if lacking is not None:
            lacking.setFocus()
            return
        self._is_busy = True
        self._error.hide()
        self._refresh()
        self.submitted.emit(self.name.text().strip(), self.password.text())

    def _lacking(self) -> QWidget | None:
        if not self.name.text().strip():
            return self.name
        return None if self.password.text() else self.password

    def _add(self, *fields: tuple[str, QWidget]) -> None:
        for title, field in fields:
            label = QLabel(title, self)
            label.setBuddy(field)
            set_role(label, "secondary")
            self._rows.addWidget(label)
            self._rows.addWidget(field)
            self._rows.addSpacing(look().sizes.gap)

    def _add_foot(self, *lines: QLabel) -> None:
        for line in lines:
            self._rows.addWidget(line)
        self._rows.addSpacing(look().sizes.gap * 2)
        self._rows.addWidget(self.button)
        self._rows.addStretch(1)

    def _refresh(self) -> None:
        left_s = self._countdown.left_s
        self.button.setEnabled(not self._is_busy and not left_s)
        words = self._busy_words if self._is_busy else self._words
        self.button.setText(f"Try again in {left_s} s" if left_s else words)

    def _on_caps_lock(self, is_on: bool) -> None:
        self._caps.setVisible(is_on)


class _SignInForm(_Form):
    """Name and password."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__("Sign in", "Signing in ...", parent)
        self._add(("Name", self.name), ("Password", self.password))
        self._add_foot(self._caps, self._error)


class _FirstRunForm(_Form):
    """The first administrator of a site; the rules for the password are ticked while one types."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__("Create administrator", "Creating ...", parent)
        intro = _text(self, "")
        intro.setText("Nobody can sign in here yet. Create the administrator of this site.")
        self._rows.addWidget(intro)
        self._rows.addSpacing(look().sizes.gap)
        self.again = PasswordField("Password again", self)
        self.again.returnPressed.connect(self.submit)
        self.again.caps_lock_seen.connect(self._on_caps_lock)
        self._add(("Name", self.name), ("Password", self.password), ("Password again", self.again))
        self._rules = _text(self, "secondary")
        self._rules.setAccessibleName("Rules for the password")
        self._add_foot(self._rules, self._caps, self._error)
        for field in (self.name, self.password, self.again):
            field.textChanged.connect(lambda _text: self._refresh())
        self._refresh()

    @property
    def rules(self) -> str:
        """The rules as the operator reads them."""
        return self._rules.text()

    def show_refused(self, sentence: str, retry_after_s: float) -> None:
        """Say that it did not work."""
        self.again.clear()
        super().show_refused(sentence, retry_after_s)

    def _lacking(self) -> QWidget | None:
        if not self.name.text().strip():
            return self.name
        *own, is_same = (rule.is_met for rule in self._current_rules())
        if not all(own):
            return self.password
        return None if is_same else self.again

    def _current_rules(self) -> tuple[Rule, ...]:
        return rules_for(self.name.text(), self.password.text(), self.again.text())

    def _refresh(self) -> None:
        rules = self._current_rules()
        self._rules.setText("\n".join(f"{'✓' if rule.is_met else '○'}  {rule.text}" for rule in rules))
        super()._refresh()
        is_ready = bool(self.name.text().strip()) and all(rule.is_met for rule in rules)
        self.button.setEnabled(self.button.isEnabled() and is_ready)


class _Countdown(QTimer):
    """Whole seconds that are left.

    Signals:
        ticked(int): Seconds left; 0 at the end.
    """

    ticked = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._since = QElapsedTimer()
        self._seconds = 0.0
        self.setInterval(200)
        self.timeout.connect(self._on_tick)

    @property
    def left_s(self) -> int:
        """Seconds left, rounded up."""
        if not self.isActive():
            return 0
        return max(0, math.ceil(self._seconds - self._since.elapsed() / 1000.0))

    def start(self, seconds: float) -> None:  # type: ignore[override]
        """Count from here."""
        self._seconds = max(0.0, seconds)
        self._since.start()
        super().start()
        self._on_tick()

    def _on_tick(self) -> None:
        left_s = self.left_s
        if left_s == 0:
            self.stop()
        self.ticked.emit(left_s)


def _text(parent: QWidget, role: str) -> QLabel:
    label = QLabel(parent)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        set_role(label, role)
    return label
