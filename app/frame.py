"""What stands around the docks and cannot be closed: header, red bar, alarm strip, toasts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication

from app.arrange import Arranger
from app.desk_clock import words_of
from app.escalation import EscalationWatch
from app.main_window import MainWindow
from app.panel import PanelInfo
from app.panels.alarms import go_to
from app.room import Room
from app.tab_keys import TabKeys
from app.voice import ConsoleVoice
from core.access.model import Role
from core.incidents.model import Alarm
from widgets.alarms.order import silent_services
from widgets.alarms.strip import AlarmStrip
from widgets.base.banner import Banner
from widgets.base.theme import THEMES, take_look, wear_sheet
from widgets.base.toasts import Toasts
from widgets.drones.words import sending_sentence
from widgets.header.header_bar import HeaderBar
from widgets.header.sound_question import SoundQuestion
from widgets.health.conditions import unstored_sentence

SOUND_TEST = "sound_test/"
"""How the keys of notices begin that ask for a test of a desk's sound."""


class Frame(QObject):
    """Builds the bars around the room and keeps them true."""

    def __init__(
        self, room: Room, window: MainWindow, panels: tuple[PanelInfo, ...], *, theme: str, scale: float
    ) -> None:
        super().__init__(window)
        self._room = room
        self._window = window
        self._theme, self._scale = theme, scale
        self._reminded: set[str] = set()
        """Desks whose test this supervisor was asked for since signing in."""

        self._is_clock_off = False

        self.header = HeaderBar(room.clock)
        self.banner = Banner()
        self.sending = Banner()
        """Of its own: it must not stand before what is worse."""

        self.strip = AlarmStrip(room.clock)
        self.sound_question = SoundQuestion()
        self.toasts = Toasts(window)
        self.voice = ConsoleVoice(room)
        self.arranger = Arranger(room, window)
        self.tab_keys = TabKeys(window)
        self.escalations = EscalationWatch(room)
        for bar in (self.header, self.banner, self.sending, self.sound_question, self.strip):
            window.add_fixed(bar)
        self.header.add_menu("Panels", window.make_menu(panels))
        self.header.show_theme(theme, scale)
        self._connect_live()
        self._connect_bars()
        self._bind_keys()
        self._on_session()
        self._on_voice()

    def _connect_live(self) -> None:
        room, live = self._room, self._room.live
        live.health_changed.connect(self._on_health)
        room.clock.changed.connect(self._on_clock)
        live.streams_changed.connect(lambda: self.header.show_streams(live.streams))
        live.alarms_changed.connect(self._on_alarms)
        live.holds_changed.connect(self._on_alarms)
        live.drone_links_changed.connect(self._on_drone_links)
        room.connection.session_changed.connect(lambda _session: self._on_session())
        room.node_lost.connect(self._on_node_lost)
        room.node_back.connect(lambda: self.banner.clear_cause("node"))
        room.toast_requested.connect(self.toasts.show_toast)
        room.panel_requested.connect(self._window.bring_panel)
        room.keys_requested.connect(self._window.go_to_panel)
        self._window.whole_window_given.connect(room.whole_window_given)
        room.whole_window_requested.connect(self._window.enlarge_panel)
        room.closing.connect(self.voice.close)

    def _connect_bars(self) -> None:
        room, header = self._room, self.header
        header.health_clicked.connect(lambda: self._window.go_to_panel("health"))
        header.alarms_clicked.connect(lambda _priority: self._window.go_to_panel("alarms"))
        header.mute_requested.connect(lambda _wanted: self.voice.toggle_mute())
        header.sign_out_requested.connect(lambda: room.run(room.connection.sign_out()))
        header.theme_requested.connect(lambda theme: self._dress(theme, self._scale))
        header.scale_requested.connect(lambda scale: self._dress(self._theme, scale))
        self.strip.alarm_chosen.connect(self._on_alarm_chosen)
        self.strip.tab_chosen.connect(self._on_tab_chosen)
        room.flood.changed.connect(self.strip.gauges.show_flood)
        self.voice.changed.connect(self._on_voice)
        header.sound_test_requested.connect(self._on_sound_test)
        self.sound_question.answered.connect(self._on_sound_answer)
        header.sound_output_chosen.connect(self.voice.choose_output)
        header.speech_switched.connect(self.voice.set_speaking)
        header.sound_menu_opened.connect(self.voice.look_for_outputs)
        self.voice.outputs_found.connect(lambda names: header.show_sound_outputs(names, self.voice.output))

    def _bind_keys(self) -> None:
        """Bind what works wherever the keys go; a text field keeps those it needs to write."""
        acts: dict[str, Callable[[], object]] = {
            "newest": self._on_newest,
            "put_back": self._room.put_back_requested.emit,
            "help": lambda: self._window.go_to_panel("help"),
        }
        for name, act in acts.items():
            for keys in self._room.keymap.of(name):
                shortcut = QShortcut(QKeySequence(keys), self._window)
                shortcut.setContext(Qt.ShortcutContext.ApplicationShortcut)
                shortcut.activated.connect(act)
        for problem in self._room.keymap.problems:
            self._room.toast(problem, f"{self._room.keymap.text('help')} shows the keys.")

    def _on_newest(self) -> None:
        self._window.go_to_panel("alarms")
        self._room.newest_wanted.emit()

    def _on_drone_links(self) -> None:
        """A link that sends to drones is said in red in every window, for as long as it does."""
        sending = [sending_sentence(link) for link in self._room.live.drone_links if link.is_active]
        if sending:
            self.sending.show_cause("drone_links", " ".join(sending))
        else:
            self.sending.clear_cause("drone_links")

    def _on_health(self) -> None:
        health = self._room.live.health
        self.header.show_health(health)
        if health is not None and not health.is_database_ok:
            said = f"Nothing is being recorded. {unstored_sentence(health)}".strip()
            self.banner.show_cause("database", said, health.database_reason)
        else:
            self.banner.clear_cause("database")

        if health is not None and self._room.role >= Role.SUPERVISOR:
            for notice in health.notices:
                if notice.key.startswith(SOUND_TEST) and notice.key not in self._reminded:
                    self._reminded.add(notice.key)
                    self._room.toast(notice.message, notice.hint)

    def _on_clock(self) -> None:
        """Say so where this desk's clock is wrong."""
        off_s = self._room.clock.off_s
        self.header.show_clock_fault(words_of(off_s) if off_s else "")
        if off_s and not self._is_clock_off:
            self._room.toast(
                f"The clock of this desk is {words_of(off_s)}.",
                "Set it: alarms and incidents go by the node's till then.",
            )
        self._is_clock_off = bool(off_s)

    def _on_sound_test(self) -> None:
        self.voice.test()
        self.sound_question.ask()

    def _on_sound_answer(self, is_heard: bool) -> None:
        words = "heard" if is_heard else "not heard"
        self._room.ask(
            "desk.note_sound_test",
            then=lambda _none: self._room.toast(f"Kept in the shift log: the test sound was {words}."),
            is_heard=is_heard,
        )

    def _on_alarms(self) -> None:
        alarms = self._room.live.open_alarms()
        self.header.show_alarms(alarms)
        self.strip.show_alarms(alarms, len(silent_services(self._room.live.holds.services, alarms)))

    def _on_alarm_chosen(self, alarm: Alarm) -> None:
        self._window.bring_panel("alarms")
        go_to(self._room, alarm)

    def _on_tab_chosen(self, name: str) -> None:
        self._window.go_to_panel("alarms")
        self._room.tab_wanted.emit(name)

    def _on_session(self) -> None:
        self._reminded.clear()
        connection = self._room.connection
        self.header.show_session(connection.session)
        if connection.site is not None:
            self.header.show_site(connection.site)

    def _on_node_lost(self, sentence: str) -> None:
        self.header.show_node_gone()
        self.banner.show_cause("node", sentence, "What you see is the last known state.")

    def _on_voice(self) -> None:
        left_s = max(self.voice.mute_left_s, self.voice.silence_left_s)
        until = self._room.clock.now() + timedelta(seconds=left_s) if left_s > 0 else None
        self.header.show_muted_until(until)
        self.header.show_sound_state(self.voice.device_state)
        self.header.show_speech(self.voice.is_speaking, self.voice.speech_problem)

    def _dress(self, theme: str, scale: float) -> None:
        self._theme, self._scale = theme, scale
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        take_look(app, THEMES[theme], scale=scale, is_reduced_motion=self._room.console.reduced_motion)
        wear_sheet(self._window)
        self.header.show_theme(theme, scale)
