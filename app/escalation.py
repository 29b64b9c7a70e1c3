"""Says at a desk that an alarm was escalated to whoever sits there."""

from __future__ import annotations

from PySide6.QtCore import QObject

from app.room import Room
from core.incidents.model import Alarm
from core.incidents.rules.book import RuleBook, shipped_book
from core.incidents.rules.model import RulesInForce
from core.incidents.tuning import DEFAULT, AlarmTuning


class EscalationWatch(QObject):
    """Tells desks of the role that a level calls; of what stood before the console came, the list tells."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._room = room
        self._levels: dict[str, int] | None = None
        self._book: RuleBook | None = None
        self._rules: RulesInForce | None = None
        room.live.alarms_changed.connect(self._look)

    def _look(self) -> None:
        calling = [alarm for alarm in self._room.live.open_alarms() if alarm.is_calling]
        known, self._levels = self._levels, {alarm.occurrence: alarm.escalation_level for alarm in calling}
        if known is None:
            return
        for alarm in calling:
            if alarm.escalation_level > known.get(alarm.occurrence, 0):
                self._say(alarm)

    def _say(self, alarm: Alarm) -> None:
        tuning = self._tuning_of(alarm)
        role = tuning.escalated_to(alarm.escalation_level)
        if role is None or self._room.role < role:
            return
        who = tuning.escalation_words(alarm.escalation_level)
        self._room.toast(
            f"Nobody has acknowledged {alarm.title}: it calls you now ({who}).", "Acknowledge it, or call."
        )

    def _tuning_of(self, alarm: Alarm) -> AlarmTuning:
        rules = self._room.live.rules
        if rules is not None and rules is not self._rules:
            self._rules, self._book = rules, RuleBook(rules)
        self._book = self._book or shipped_book()
        rule = self._book.rule_of_alarm(alarm)
        return DEFAULT if rule is None else self._book.tunings[rule.rule_id]
