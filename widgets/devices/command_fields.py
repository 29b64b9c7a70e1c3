"""Which command, with which arguments, and for how long it may be obeyed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtWidgets import QFormLayout, QLineEdit, QWidget

from core.field.sheet import OfferedCommand
from widgets.devices.twin_form import value_of
from widgets.scene.fields import NumberField, choice_field, form_layout

DEFAULT_TTL_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandWish:
    """A command as it was written down; `ttl_s` is for how long it may be obeyed."""

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    ttl_s: float = DEFAULT_TTL_S


class CommandFields(QWidget):
    """A choice of commands with the arguments of the one that is chosen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._offered: tuple[OfferedCommand, ...] = ()
        self._args: dict[str, QLineEdit] = {}
        self._choice = choice_field("Command", self)
        self._choice.currentIndexChanged.connect(lambda _index: self._show_params())
        self._ttl = NumberField("May be obeyed for", 1.0, 3600.0, " s", decimals=0)
        self._ttl.setValue(DEFAULT_TTL_S)
        self._ttl.setToolTip("After this time the device must not obey it any more")
        self._form = form_layout()
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        self._form.addRow("Command", self._choice)
        self._form.addRow("May be obeyed for", self._ttl)
        self.setLayout(self._form)
        self.setFocusProxy(self._choice)
        self.show_offered((), "This device offers none")

    @property
    def has_offer(self) -> bool:
        """Something can be chosen."""
        return bool(self._offered)

    def show_offered(self, offered: Sequence[OfferedCommand], nothing: str) -> None:
        """Offer these, or say `nothing`; what is typed stays while they are the same."""
        if self._choice.count() and tuple(offered) == self._offered:
            return
        self._offered = tuple(offered)
        self._choice.clear()
        for command in self._offered:
            self._choice.addItem(command.name, command.name)
        if not self._offered:
            self._choice.addItem(nothing, "")
        self._choice.setEnabled(bool(self._offered))

    def read(self) -> tuple[CommandWish | None, str]:
        """Return what is written down, or None and what is wrong with it."""
        command = self._chosen
        if command is None:
            return None, "There is no command to choose."
        args = {name: value_of(one.text()) for name, one in self._args.items() if one.text().strip()}
        for name, value in args.items():
            if trouble := _trouble(name, value, command.params[name]):
                self._args[name].setFocus()
                return None, trouble
        return CommandWish(name=command.name, args=args, ttl_s=self._ttl.value()), ""

    @property
    def _chosen(self) -> OfferedCommand | None:
        return next((one for one in self._offered if one.name == self._choice.currentData()), None)

    def _show_params(self) -> None:
        for one in self._args.values():
            self._form.removeRow(one)
        self._args = {}
        command = self._chosen
        for name, schema in (command.params if command is not None else {}).items():
            line = QLineEdit(self)
            line.setAccessibleName(name)
            line.setPlaceholderText(_expected(schema))
            self._form.insertRow(self._form.rowCount() - 1, name, line)
            self._args[name] = line


def _expected(schema: Any) -> str:
    """Say what an argument has to be, by its JSON Schema."""
    if not isinstance(schema, Mapping):
        return ""
    if isinstance(schema.get("enum"), list):
        return " or ".join(str(one) for one in schema["enum"])
    low, high = schema.get("minimum"), schema.get("maximum")
    words = str(schema.get("type", ""))
    if low is not None or high is not None:
        words += f", {'' if low is None else low} to {'' if high is None else high}"
    return str(schema.get("description", "")) or words


def _trouble(name: str, value: Any, schema: Any) -> str:
    """Return what is wrong with an argument; the device judges all of it."""
    if not isinstance(schema, Mapping):
        return ""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if schema.get("type") in ("number", "integer") and not is_number:
        return f"{name} has to be a number."
    low, high = schema.get("minimum"), schema.get("maximum")
    if is_number and ((low is not None and value < low) or (high is not None and value > high)):
        return f"{name} has to be {_expected(schema)}."
    if isinstance(schema.get("enum"), list) and value not in schema["enum"]:
        return f"{name} has to be {_expected(schema)}."
    return ""
