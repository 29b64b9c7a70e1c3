"""The door: what fills the window until somebody is signed in."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.connection import ConnectionState
from app.room import Room
from core.kernel.errors import ConsoleError
from widgets.dialogs.sign_in import SignInPage


class Door(QWidget):
    """Shows the sign-in page and carries what is typed there to the node."""

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room
        self._page = SignInPage()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._page)
        self._page.sign_in_requested.connect(self._on_sign_in)
        self._page.create_administrator_requested.connect(self._on_create)
        self._page.retry_requested.connect(room.connection.retry_now)
        room.connection.state_changed.connect(self._on_state)

    def _on_state(self, state: str, sentence: str) -> None:
        connection = self._room.connection
        if state == ConnectionState.STARTING:
            self._page.show_connecting("this machine")
        elif state == ConnectionState.CONNECTING:
            self._page.show_gone(sentence, "", connection.retry_in_s)
        elif state in (ConnectionState.SIGNED_OUT, ConnectionState.FIRST_RUN) and connection.site is not None:
            self._page.show_site(connection.site)

    def _on_sign_in(self, name: str, password: str) -> None:
        self._room.run(self._try(self._room.connection.sign_in(name, password)))

    def _on_create(self, name: str, password: str) -> None:
        self._room.run(self._try(self._room.connection.create_administrator(name, password)))

    async def _try(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except ConsoleError as error:
            self._page.show_refused(error.message, error.hint)
