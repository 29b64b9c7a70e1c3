"""Qt's own file dialogs beside the room, not in front of it: alarms can be answered meanwhile."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget


def ask_file(parent: QWidget, title: str, filters: str, take: Callable[[Path], None]) -> None:
    """Ask for a file that is there; `filters` as in `Lots (*.json)`, nothing is taken when the dialog is left."""
    dialog = QFileDialog(parent, title, "", filters)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.fileSelected.connect(lambda name: take(Path(name)))
    _show(dialog)


def ask_files(parent: QWidget, title: str, filters: str, take: Callable[[tuple[Path, ...]], None]) -> None:
    """Ask for one or several files that are there."""
    dialog = QFileDialog(parent, title, "", filters)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
    dialog.filesSelected.connect(lambda names: take(tuple(Path(name) for name in names)))
    _show(dialog)


def ask_target(parent: QWidget, title: str, file_name: str, filters: str, take: Callable[[Path], None]) -> None:
    """Ask where to write; `file_name` is proposed, and its ending is given to a name that has none."""
    dialog = QFileDialog(parent, title, "", filters)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix(Path(file_name).suffix.lstrip("."))
    dialog.selectFile(file_name)
    dialog.fileSelected.connect(lambda name: take(Path(name)))
    _show(dialog)


def ask_folder(parent: QWidget, title: str, take: Callable[[str], None]) -> None:
    """Ask for a folder."""
    dialog = QFileDialog(parent, title)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    dialog.fileSelected.connect(take)
    _show(dialog)


def _show(dialog: QFileDialog) -> None:
    dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setModal(False)
    dialog.show()
    # Where no window manager gives it the keys, Qt would put a bare name in place of the path that is typed.
    dialog.raise_()
    dialog.activateWindow()
