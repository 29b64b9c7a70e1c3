"""What a panel is given: the live model, the way to ask the node, and what is selected."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.connection import NodeConnection
from app.desk_clock import DeskClock
from app.flood import FloodWatch
from app.frames import Pump
from app.lag import UiLag
from app.live import LiveModel
from core.access.model import Role, Session
from core.incidents.flood import Call
from core.incidents.model import SourceKind
from core.kernel.errors import ConsoleError
from core.kernel.settings import ConsoleSettings, KeySettings
from widgets.alarms.keys import Keymap, keymap_of

log = logging.getLogger(__name__)


class Room(QObject):
    """The console's shared things; panels know it and nothing of each other.

    Signals:
        selected(str, str): Kind ("camera", "device", "alarm", "incident") and id that the operator looks at now.
        camera_called(str, bool): Bring this camera to the wall; True when an alarm asks for it.
        role_changed(object): The `Role` of who is signed in.
        toast_requested(str, str): A sentence and a hint.
        panel_requested(str): Bring a panel to the front, by its key.
        keys_requested(str): The same, and let the keys go to it.
        key_wanted(str, object): Call this wherever the keys are in the window, also while the panel that asks is
            hidden; emitted while panels are created.
        position_wanted(object): A callable that takes latitude and longitude: the map's next click goes to it; None
            takes the wish back.
        position_settled(): The map was clicked, or nobody waits for a click any more.
        place_called(object): Bring this `GeoPoint` to the middle of the map.
        edit_requested(str): Open the settings of this camera; an empty id asks for a new one.
        scene_requested(str): Open the scene editor for this camera.
        incident_form_requested(str): Write down a new incident, at this camera where one is named.
        whole_window_requested(str, bool): Give a panel the whole window, by its key, or divide it again.
        whole_window_given(str): This panel has the whole window now, by its key; empty where none has.
        replay_moved(object): A flight is replayed: this `Replay` is its moment; None ends it.
        silence_requested(): No sound for a minute.
        alarm_chosen(object): The operator selected this `Alarm`.
        arranged(object): Show everything that belongs to this `Arrangement` of an alarm.
        newest_wanted(): Select the most urgent alarm that calls.
        tab_wanted(str): Bring this part of the alarm list to the front, by `Tab.value`.
        service_wanted(object, str): Ask why and for how long this source is to be out of service: `SourceKind` and id.
        put_back_requested(): The room is to be put back as it was before the first `arranged`.
        put_back(): Show what was there before the first `arranged`.
        node_lost(str): The node is gone, with a sentence; what is shown is the last known.
        node_back(): It is there again.
        session_ends(): The system ends this desk's session: keep what is not saved, at once.
        closing(): The window closes: let go of threads and files.
    """

    selected = Signal(str, str)
    camera_called = Signal(str, bool)
    role_changed = Signal(object)
    toast_requested = Signal(str, str)
    panel_requested = Signal(str)
    keys_requested = Signal(str)
    key_wanted = Signal(str, object)
    position_wanted = Signal(object)
    position_settled = Signal()
    place_called = Signal(object)
    edit_requested = Signal(str)
    scene_requested = Signal(str)
    incident_form_requested = Signal(str)
    whole_window_requested = Signal(str, bool)
    whole_window_given = Signal(str)
    replay_moved = Signal(object)
    silence_requested = Signal()
    alarm_chosen = Signal(object)
    arranged = Signal(object)
    newest_wanted = Signal()
    tab_wanted = Signal(str)
    service_wanted = Signal(object, str)
    put_back_requested = Signal()
    put_back = Signal()
    node_lost = Signal(str)
    node_back = Signal()
    session_ends = Signal()
    closing = Signal()

    def __init__(
        self,
        connection: NodeConnection,
        live: LiveModel,
        console: ConsoleSettings | None = None,
        keys: KeySettings | None = None,
    ) -> None:
        super().__init__()
        self.console = console or ConsoleSettings()
        self.keymap: Keymap = keymap_of((keys or KeySettings()).model_dump(), KeySettings().model_dump())
        self.connection = connection
        self.folders = connection.folders
        self.live = live
        self.clock = DeskClock(live, parent=self)
        self.flood = FloodWatch(live, self.clock)
        self.frames: Pump | None = None
        self.lag: UiLag | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_asking_rings = False
        self.closing.connect(self.flood.close)
        live.cameras_changed.connect(self._ask_rings)
        # A camera is told as soon as it is stored, its stream once the node reads it: only then it has a ring.
        live.streams_changed.connect(self._ask_rings)
        connection.session_changed.connect(self._on_session_changed)
        connection.snapshot_received.connect(lambda _snapshot: self._ask_calls())

    @property
    def role(self) -> Role:
        """Role of who is signed in; a viewer before anybody is."""
        return self.connection.session.user.role if self.connection.session else Role.VIEWER

    def _ask_calls(self) -> None:
        """What called before this desk was opened counts for its flood as it does in the figures."""
        self.ask(
            "alarms.recent_calls",
            list[tuple[Call, datetime]],
            then=self.flood.take_calls,
            refused=lambda _error: None,
        )

    def ask(
        self,
        verb: str,
        kind: type[Any] | None = None,
        *,
        then: Callable[[Any], None] | None = None,
        refused: Callable[[ConsoleError], None] | None = None,
        **args: Any,
    ) -> None:
        """Ask the node without waiting.

        Args:
            verb: Name of the verb.
            kind: Type of the answer.
            then: Hears the answer.
            refused: Hears the error; by default it becomes a toast.
            args: The verb's arguments.
        """
        self.run(self._ask(verb, kind, then, refused, args))

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine in the background; a ConsoleError becomes a toast, anything else goes to the error door."""
        task = asyncio.get_event_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)
        return task

    def select(self, kind: str, item_id: str) -> None:
        """Tell every panel what the operator looks at now."""
        self.selected.emit(kind, item_id)

    def drone_of(self, kind: str, item_id: str) -> str:
        """Return the drone that something selected is about; empty where it is about none."""
        if kind == "drone":
            return item_id
        alarm = self.live.alarms.get(item_id) if kind == "alarm" else None
        return alarm.source_id if alarm is not None and alarm.source_kind is SourceKind.DRONE else ""

    def toast(self, sentence: str, hint: str = "") -> None:
        """Tell the operator something that needs no answer."""
        self.toast_requested.emit(sentence, hint)

    def cancel_all(self) -> None:
        """End what is still running; the window closes."""
        for task in tuple(self._tasks):
            task.cancel()

    async def _ask(
        self,
        verb: str,
        kind: type[Any] | None,
        then: Callable[[Any], None] | None,
        refused: Callable[[ConsoleError], None] | None,
        args: dict[str, Any],
    ) -> None:
        try:
            answer = await self.connection.call(verb, kind, **args)
        except ConsoleError as error:
            if refused is None:
                raise
            refused(error)
            return
        if then is not None:
            then(answer)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, ConsoleError):
            self.toast(error.message, error.hint)
        elif error is not None:
            asyncio.get_event_loop().call_exception_handler(
                {"message": "a task of the room failed", "exception": error, "task": task}
            )

    def _ask_rings(self) -> None:
        """Ask where the pictures of a camera lie that was added while this console was open."""
        if self._is_asking_rings or not self.live.cameras.keys() - self.live.rings.keys():
            return
        self._is_asking_rings = True
        self.ask("room.rings", dict[str, str], then=self._on_rings, refused=self._on_rings_refused)

    def _on_rings(self, rings: dict[str, str]) -> None:
        self._is_asking_rings = False
        self.live.set_rings(rings)

    def _on_rings_refused(self, error: ConsoleError) -> None:
        self._is_asking_rings = False
        self.toast(error.message, error.hint)

    def _on_session_changed(self, session: Session | None) -> None:
        self.role_changed.emit(session.user.role if session else Role.VIEWER)
