"""The row of drawing tools."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtWidgets import QToolButton, QWidget

from widgets.base.flow import FlowLayout
from widgets.base.icons import icon
from widgets.base.theme import look, set_role
from widgets.scene.draft import ToolInfo


class ToolRow(QWidget):
    """One button for each tool.

    Signals:
        tool_chosen(object): The `tool` of a `ToolInfo`.
    """

    tool_chosen = Signal(object)

    def __init__(self, tools: Sequence[ToolInfo[Any]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._infos = {info.tool: info for info in tools}
        gap = look().sizes.gap
        row = FlowLayout(gap // 2, self)
        # No exclusive button group: it takes buttons out of the way of the Tab key.
        self._buttons: dict[StrEnum, QToolButton] = {}
        for info in tools:
            button = QToolButton(self)
            button.setText(info.title)
            button.setToolTip(f"{info.tip} ({info.key})")
            button.setAccessibleName(f"{info.title}: {info.tip.lower()}")
            button.setCheckable(True)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            set_role(button, "quiet")
            button.clicked.connect(lambda _checked=False, tool=info.tool: self._on_clicked(tool))
            self._buttons[info.tool] = button
            row.addWidget(button)
        self._tint()
        self.show_tool(tools[0].tool)

    def show_tool(self, tool: StrEnum) -> None:
        """Mark the tool in hand."""
        for other, button in self._buttons.items():
            button.setChecked(other is tool)

    def set_compact(self, is_compact: bool) -> None:
        """Show drawings only where there is no room for words."""
        style = Qt.ToolButtonStyle.ToolButtonIconOnly if is_compact else Qt.ToolButtonStyle.ToolButtonTextBesideIcon
        for button in self._buttons.values():
            button.setToolButtonStyle(style)

    def set_offered(self, tool: StrEnum, is_offered: bool) -> None:
        """Show a tool, or hide it where it has no use."""
        self._buttons[tool].setVisible(is_offered)

    def set_editable(self, is_editable: bool) -> None:
        """Offer the tools that draw, or only the one that selects."""
        for tool, button in self._buttons.items():
            button.setEnabled(is_editable or self._infos[tool].is_safe)

    def _on_clicked(self, tool: StrEnum) -> None:
        self.show_tool(tool)
        self.tool_chosen.emit(tool)

    def _tint(self) -> None:
        side = look().sizes.icon
        for tool, button in self._buttons.items():
            button.setIcon(icon(self._infos[tool].icon))
            button.setIconSize(QSize(side, side))

    def changeEvent(self, event: QEvent) -> None:
        """Take the new theme's colour."""
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "_buttons"):
            self._tint()
        super().changeEvent(event)
