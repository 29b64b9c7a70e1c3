"""How each rule is tuned on this camera: a form made of core/vision/tuning.py."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from core.vision.model import ObservationKind, RuleSetting
from core.vision.tuning import RULES, Figure, RuleInfo
from widgets.base.labels import hairline
from widgets.base.theme import look, set_role
from widgets.scene.fields import NumberField, show_checked

_SHORT_UNIT = 4
_MARK = "●"
"""Beside what differs from the default; the tool tip says the default."""


class RulesForm(QWidget):
    """Every rule with its figures.

    Signals:
        change_requested(object, str): A `RuleSetting`, and what was done.
    """

    change_requested = Signal(object, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        gap = look().sizes.gap
        self._rules = {info.kind.value: _RuleBox(info, self) for info in RULES}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, gap, 0)
        column.setSpacing(gap * 2)
        self._legend = QLabel(f"{_MARK} differs from the default.", self)
        self._legend.setWordWrap(True)
        set_role(self._legend, "caption")
        column.addWidget(self._legend)
        for box in self._rules.values():
            column.addWidget(hairline(self))
            column.addWidget(box)
            box.change_requested.connect(self.change_requested)
        column.addStretch(1)

    def show_rules(self, rules: tuple[RuleSetting, ...]) -> None:
        """Show what this camera does differently."""
        settings = {setting.kind: setting for setting in rules}
        for kind, box in self._rules.items():
            box.show_setting(settings.get(kind, RuleSetting(kind=kind)))
        n_different = sum(box.is_different for box in self._rules.values())
        words = {0: "All rules as they come.", 1: "One rule differs from its defaults."}
        self._legend.setText(words.get(n_different, f"{n_different} rules differ from their defaults."))

    def show_faults(self, faults: Mapping[ObservationKind, str]) -> None:
        """Say of rules that are on why they cannot work."""
        for kind, box in self._rules.items():
            box.show_fault(faults.get(ObservationKind(kind), ""))

    def set_editable(self, is_editable: bool) -> None:
        """Let the figures be changed, or only read."""
        for box in self._rules.values():
            box.setEnabled(is_editable)


class _RuleBox(QWidget):
    """One rule.

    Signals:
        change_requested(object, str): A `RuleSetting`, and what was done.
    """

    change_requested = Signal(object, str)

    def __init__(self, info: RuleInfo, parent: QWidget) -> None:
        super().__init__(parent)
        self._info = info
        self._setting = RuleSetting(kind=info.kind.value)
        self._enabled = QCheckBox(info.title, self)
        self._enabled.setToolTip(f"By default {'on' if info.is_on else 'off'}.")
        self._enabled.toggled.connect(self._on_enabled)
        explanation = QLabel(info.explanation, self)
        explanation.setWordWrap(True)
        set_role(explanation, "caption")
        self._fault = QLabel(self)
        self._fault.setWordWrap(True)
        self._fault.hide()
        form = QGridLayout()
        form.setHorizontalSpacing(look().sizes.gap * 2)
        form.setVerticalSpacing(look().sizes.gap * 2)
        form.setColumnStretch(0, 1)
        self._fields: dict[str, NumberField] = {}
        self._titles: dict[str, QLabel] = {}
        for row, figure in enumerate(info.figures):
            field = _field(figure, info.title)
            field.valueChanged.connect(lambda value, figure=figure: self._on_value(figure, value))
            title = QLabel(self)
            title.setWordWrap(True)
            self._fields[figure.name], self._titles[figure.name] = field, title
            form.addWidget(title, row, 0)
            form.addWidget(field, row, 1)
        self._reset = QPushButton("Back to the defaults", self)
        self._reset.setAccessibleName(f"{info.title}: back to the defaults")
        set_role(self._reset, "quiet")
        self._reset.clicked.connect(self._on_reset)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look().sizes.gap)
        column.addWidget(self._enabled)
        column.addWidget(explanation)
        column.addWidget(self._fault)
        column.addLayout(form)
        column.addWidget(self._reset, 0, Qt.AlignmentFlag.AlignLeft)
        self.show_setting(self._setting)

    @property
    def is_different(self) -> bool:
        """Something differs from the defaults."""
        return self._setting != RuleSetting(kind=self._info.kind.value)

    def show_fault(self, sentence: str) -> None:
        """Say why the rule cannot work; nothing where it can."""
        self._fault.setText(sentence)
        self._fault.setVisible(bool(sentence))

    def show_setting(self, setting: RuleSetting) -> None:
        """Show the figures, those of the camera and the defaults for the others."""
        self._setting = setting
        is_on = self._info.is_on if setting.is_enabled is None else setting.is_enabled
        show_checked(self._enabled, is_on)
        self._enabled.setText(f"{self._info.title}{f'  {_MARK}' if setting.is_enabled is not None else ''}")
        for figure in self._info.figures:
            field, title = self._fields[figure.name], self._titles[figure.name]
            field.show_value(setting.values.get(figure.name, figure.default))
            is_other = figure.name in setting.values
            title.setText(f"{_title(figure)}{f'  {_MARK}' if is_other else ''}")
            field.setToolTip(f"By default {figure.default:g}{_unit(figure)}; {figure.low:g} to {figure.high:g}.")
            field.setEnabled(is_on)
        self._reset.setVisible(self.is_different)

    def _on_enabled(self, is_on: bool) -> None:
        said = None if is_on == self._info.is_on else is_on
        setting = RuleSetting(kind=self._info.kind.value, is_enabled=said, values=dict(self._setting.values))
        word = "on" if is_on else "off"
        self.change_requested.emit(setting, f"Switch {self._info.title.lower()} {word}")

    def _on_value(self, figure: Figure, value: float) -> None:
        values = {name: kept for name, kept in self._setting.values.items() if name != figure.name}
        if abs(value - figure.default) > 1e-9:
            values[figure.name] = round(value, 6)
        setting = RuleSetting(kind=self._info.kind.value, is_enabled=self._setting.is_enabled, values=values)
        self.change_requested.emit(setting, f"Tune {self._info.title.lower()}")

    def _on_reset(self) -> None:
        setting = RuleSetting(kind=self._info.kind.value)
        self.change_requested.emit(setting, f"Set {self._info.title.lower()} back to its defaults")


def _field(figure: Figure, rule_title: str) -> NumberField:
    finest = figure.low or 0.01
    decimals = 1 if figure.high > 1 else 4 if finest < 0.001 else 3 if finest < 0.01 else 2
    unit = _unit(figure) if len(figure.unit) <= _SHORT_UNIT else ""
    field = NumberField(f"{rule_title}: {figure.title}", figure.low, figure.high, unit, decimals=decimals)
    field.show_value(figure.default)
    return field


def _title(figure: Figure) -> str:
    """Return a figure's name; a unit of several words stands there: behind the figure it would be cut."""
    return figure.title if len(figure.unit) <= _SHORT_UNIT else f"{figure.title} ({figure.unit})"


def _unit(figure: Figure) -> str:
    return f" {figure.unit}" if figure.unit else ""
