"""The certificate a device enters the broker with: issued and saved once, or taken back."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from core.access.model import Role
from core.field.broker_config import IssuedCertificate
from widgets.base.file_dialogs import ask_folder
from widgets.base.flow import FlowLayout
from widgets.base.hold_button import HoldButton
from widgets.base.theme import look
from widgets.base.times import format_instant
from widgets.devices.details import ROLE_TO_CHANGE, allow

_EXPLAINED = (
    "A certificate lets this device, and nobody else, speak under its name on a broker made by broker-config. "
    "A new one takes the place of the old one when the broker next reads its files. The key is shown to nobody: "
    "choose a folder first, and the files are written there, once."
)


class CertificateForm(QWidget):
    """Issues and takes back.

    Signals:
        issue_requested(str): Folder in which the files shall lie.
        revoke_requested(): The button was held.
    """

    issue_requested = Signal(str)
    revoke_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        gap = look().sizes.gap
        explained = QLabel(_EXPLAINED, self)
        explained.setWordWrap(True)
        self._issue = QPushButton("Issue a certificate", self)
        self._issue.clicked.connect(self._on_issue)
        self._revoke = HoldButton("Hold to take it back", self)
        self._revoke.confirmed.connect(self.revoke_requested)
        self._said = QLabel(self)
        self._said.setWordWrap(True)
        self._said.setTextFormat(Qt.TextFormat.PlainText)
        self._said.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._said.setAccessibleName("What became of the certificate")
        buttons = FlowLayout(gap * 2)
        buttons.addWidget(self._issue)
        buttons.addWidget(self._revoke)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, gap * 2, 0, 0)
        rows.setSpacing(gap * 3)
        rows.addWidget(explained)
        rows.addLayout(buttons)
        rows.addWidget(self._said)
        rows.addStretch(1)
        self.setFocusProxy(self._issue)
        self.show_role(None)

    @property
    def said(self) -> str:
        """What became of it."""
        return self._said.text()

    def show_role(self, role: Role | None) -> None:
        """Offer what this role may do; the node decides."""
        allow(self._issue, role, ROLE_TO_CHANGE, "Choose where the files shall lie")
        allow(self._revoke, role, ROLE_TO_CHANGE, "Hold for a second, or press Ctrl+Enter")

    def start(self) -> None:
        """Begin anew with another device."""
        self._said.setText("")

    def show_saved(self, issued: IssuedCertificate, folder: str) -> None:
        """Say where the files are."""
        ends = format_instant(issued.ends_at)
        self._said.setText(
            f"Saved in {folder}: {issued.user}.crt, {issued.user}.key and ca.crt. It is good until {ends}. "
            "The key lies nowhere else: bring it to the device and delete it here."
        )

    def show_revoked(self) -> None:
        """Say that it no longer counts."""
        self._said.setText("Taken back: it no longer counts when the broker next reads its files.")

    def show_refused(self, sentence: str, hint: str = "") -> None:
        """Say why nothing was done."""
        self._said.setText(f"{sentence} {hint}".strip())

    def _on_issue(self) -> None:
        ask_folder(self, "Choose a folder for the certificate", self.issue_requested.emit)
