"""The device tree: find any camera or device by name or state, see its figures, switch it on or off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from PySide6.QtCore import QEvent, QItemSelection, QItemSelectionModel, QModelIndex, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QIcon, QKeyEvent, QKeySequence, QResizeEvent, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QGridLayout,
    QHeaderView,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from core.access.model import Role
from core.cameras.model import Camera
from core.field.model import Device, Reading
from core.incidents.model import SourceKind
from core.kernel.clock import Clock, SystemClock
from core.media.model import StreamReport
from widgets.base.focus import order_focus
from widgets.base.icons import icon
from widgets.base.search import SearchField
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.theme import look, set_role
from widgets.devices.bulk_bar import BulkBar
from widgets.devices.details import ROLE_TO_CHANGE, DeviceDetails, allow, role_to_switch
from widgets.devices.rows import DeviceRow, camera_row, device_row
from widgets.devices.tree_model import (
    ADDRESS,
    COLUMNS,
    NAME,
    SEEN,
    STATE,
    VALUE,
    DeviceTreeModel,
    GroupBy,
    StateFilter,
)

_AT_ONCE, _PORTION, _ORDER_MS = 1000, 2000, 1000
"""Of more things the order is looked at once a second only: of 10,000 some change their branch all the time."""

_DONE = object()
_SIDE_BY_SIDE_PX = 900
_ONE_LINE_EM, _TWO_LINES_EM = 56, 26
"""Below so many letters of width the search field gets a line of its own, and then the chooser of branches one."""

_COLUMN_EM = {ADDRESS: 46, SEEN: 34, VALUE: 19}
"""Below this many letters of width the tree goes without a column; the figures have it all."""

_DETAILS_SHARE = 0.42
"""Of the height, while something is selected; until someone moves the handle."""


class DevicePanel(QWidget):
    """Tree on one side, figures on the other.

    Signals:
        item_selected(str, str): Kind and id; two empty texts for nothing.
        goto_requested(str, str): Kind and id: double click, Enter or the button.
        add_camera_requested()
        edit_requested(str): Camera id.
        scene_requested(str): Draw on this camera's picture.
        service_requested(object, str): Take it out of service: `SourceKind` and id.
        set_enabled_requested(str, str, bool, int): Kind, id, wanted state, version.
        remove_requested(str, str, int): Kind, id, version.
        list_requested(): Add devices from a list.
        new_requested(): Add one device by hand.
        keys_requested(): Look at the keys of devices and other systems.
        removed_requested(): Look at what was removed.
        page_requested(str): Open the page of this device.
    """

    item_selected = Signal(str, str)
    goto_requested = Signal(str, str)
    add_camera_requested = Signal()
    edit_requested = Signal(str)
    scene_requested = Signal(str)
    service_requested = Signal(object, str)
    set_enabled_requested = Signal(str, str, bool, int)
    remove_requested = Signal(str, str, int)
    list_requested = Signal()
    new_requested = Signal()
    keys_requested = Signal()
    removed_requested = Signal()
    page_requested = Signal(str)

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._cameras: dict[str, Camera] = {}
        self._devices: dict[str, Device] = {}
        self._streams: Mapping[str, StreamReport] = {}
        self._readings: dict[str, dict[str, Reading]] = {}
        self._selected: tuple[str, str] | None = None
        self._role: Role | None = None
        self._is_known = False
        self._chosen: list[tuple[str, str]] = []
        self._closed: set[str] = set()
        """Branches that the operator closed, by name."""

        self._model = DeviceTreeModel(self._clock)
        self._build()
        order_focus(self)
        self._model.modelAboutToBeReset.connect(self._on_before_reset)
        self._model.modelReset.connect(self._on_reset)
        self._ordering = QTimer(self)
        self._ordering.setSingleShot(True)
        self._ordering.setInterval(_ORDER_MS)
        self._ordering.timeout.connect(self._order)
        self._step = QTimer(self)
        self._step.setSingleShot(True)
        self._step.setInterval(0)
        self._step.timeout.connect(self._arrange_some)
        self._arranging: Iterator[None] = iter(())
        self._making = QTimer(self)
        self._making.setSingleShot(True)
        self._making.setInterval(0)
        self._making.timeout.connect(self._make_some)
        self._to_make: Iterator[str] | None = None
        self._fresh: dict[str, DeviceRow] = {}
        """Rows that are made for the next tree, by device."""

        self._ageing = QTimer(self)
        self._ageing.setInterval(1000)
        self._ageing.timeout.connect(self._on_second)
        self._refresh_overlay()

    @property
    def tree(self) -> QTreeView:
        """The view, for focus."""
        return self._tree

    @property
    def search(self) -> SearchField:
        """The field that filters the tree."""
        return self._search

    @property
    def n_shown(self) -> int:
        """How many things the tree shows."""
        return self._model.n_shown

    def divide(self, by: GroupBy) -> None:
        """Divide the tree otherwise."""
        self._grouping.setCurrentIndex(self._grouping.findData(by))

    @property
    def selected(self) -> tuple[str, str] | None:
        """Kind and id of what is selected."""
        return self._selected

    def show_cameras(self, cameras: tuple[Camera, ...]) -> None:
        """Show these cameras."""
        before, self._cameras = self._cameras, {camera.camera_id: camera for camera in cameras}
        self._is_known = True
        if before.keys() != self._cameras.keys():
            self._refresh()
            return
        self._update([self._camera_row(key) for key, camera in self._cameras.items() if before[key] is not camera])

    def show_devices(self, devices: tuple[Device, ...]) -> None:
        """Show these field devices."""
        before, self._devices = self._devices, {device.device_id: device for device in devices}
        self._is_known = True
        kinds = {key: device.kind for key, device in self._devices.items()}
        if {key: device.kind for key, device in before.items()} != kinds:
            self._refresh()
            return
        self._update([self._device_row(key) for key, device in self._devices.items() if before[key] is not device])

    def show_streams(self, streams: Mapping[str, StreamReport]) -> None:
        """Show what the cameras' streams do, by camera id."""
        self._streams = dict(streams)
        self._update([self._camera_row(key) for key in self._cameras])

    def show_readings(self, readings: Mapping[Any, Reading]) -> None:
        """Show the newest values of all streams; the keys do not matter."""
        before, self._readings = self._readings, {}
        for reading in readings.values():
            self._readings.setdefault(reading.device_id, {})[reading.stream] = reading
        changed = [key for key in before.keys() | self._readings.keys() if before.get(key) != self._readings.get(key)]
        self._update([self._device_row(key) for key in changed if key in self._devices])

    def update_devices(self, devices: Iterable[Device]) -> None:
        """Bring some devices up to date."""
        rows = []
        is_same_set = True
        for device in devices:
            before = self._devices.get(device.device_id)
            is_same_set &= before is not None and before.kind == device.kind
            self._devices[device.device_id] = device
            rows.append(self._device_row(device.device_id))
        if is_same_set:
            self._update(rows)
        else:
            self._refresh()

    def update_readings(self, readings: Iterable[Reading]) -> None:
        """Bring some newest values up to date."""
        changed = set()
        for reading in readings:
            self._readings.setdefault(reading.device_id, {})[reading.stream] = reading
            changed.add(reading.device_id)
        self._update([self._device_row(key) for key in changed if key in self._devices])

    def show_role(self, role: Role | None) -> None:
        """Offer what this role may do; the node decides."""
        self._role = role
        self._details.show_role(role)
        self.bulk.show_role(role)
        allow(self._add, role, ROLE_TO_CHANGE, "Add a camera")
        allow(self._add_device, role, ROLE_TO_CHANGE, "Add one device by hand, before it has said anything")
        allow(self._from_list, role, ROLE_TO_CHANGE, "Add devices from a CSV or GeoJSON file")
        allow(self._keys, role, ROLE_TO_CHANGE, "Keys of edge cameras and other systems for the HTTP gateway")

    def select(self, kind: str, item_id: str) -> None:
        """Select a thing without saying so."""
        key = (kind, item_id) if item_id else None
        if key == self._selected:
            return
        self._selected = key
        self._select_in_tree()
        self._refresh_details()

    def focus_search(self) -> None:
        """Let the operator type what to look for."""
        self._search.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _build(self) -> None:
        gap = look().sizes.gap
        self._tree = self._build_tree()
        self._search = SearchField("Find a camera or device", self)
        self._search.query_changed.connect(self._on_query)
        self._search.left.connect(self._on_search_left)
        self._states = QComboBox(self)
        self._states.setAccessibleName("Show only")
        self._states.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        for state in StateFilter:
            self._states.addItem(state.value, state)
        self._states.currentIndexChanged.connect(self._on_filter)
        self._grouping = QComboBox(self)
        self._grouping.setAccessibleName("Divide the tree")
        self._grouping.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        for by in GroupBy:
            self._grouping.addItem(by.value, by)
        self._grouping.currentIndexChanged.connect(self._on_grouping)
        self._count = QLabel(self)
        set_role(self._count, "caption")
        self._add = QPushButton("Add camera", self)
        self._add.clicked.connect(self.add_camera_requested)
        self._add_device = QPushButton("Add device", self)
        self._add_device.clicked.connect(self.new_requested)
        self._from_list = QPushButton("Add from list", self)
        self._from_list.clicked.connect(self.list_requested)
        self._keys = QPushButton("Keys", self)
        self._keys.clicked.connect(self.keys_requested)
        self._removed = QPushButton(self)
        set_role(self._removed, "icon")
        self._removed.setToolTip("Devices that were removed, and the way back")
        self._removed.clicked.connect(self.removed_requested)
        self._bar = QGridLayout()
        self._bar.setContentsMargins(gap * 2, gap * 2, gap * 2, gap * 2)
        self._bar.setHorizontalSpacing(gap * 2)
        self._bar.setVerticalSpacing(gap)
        self._lines: tuple[tuple[QWidget, ...], ...] = ()
        self._is_one_line = False
        self._details = DeviceDetails(self._clock, self)
        self._details.set_enabled_requested.connect(self.set_enabled_requested)
        self._details.remove_requested.connect(self.remove_requested)
        self._details.edit_requested.connect(self.edit_requested)
        self._details.scene_requested.connect(self.scene_requested)
        self._details.goto_requested.connect(self.goto_requested)
        self._details.page_requested.connect(self.page_requested)
        self._split = QSplitter(Qt.Orientation.Horizontal, self)
        self._split.addWidget(self._tree)
        self._split.addWidget(self._details)
        self._split.setStretchFactor(0, 3)
        self._split.setStretchFactor(1, 2)
        self._split.setChildrenCollapsible(False)
        self._split.setSizes([650, 350])
        self._split.splitterMoved.connect(self._on_split_moved)
        self._details_share = _DETAILS_SHARE
        self._had_details = False
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addLayout(self._bar)
        self.bulk = BulkBar(self)
        rows.addWidget(self.bulk)
        rows.addWidget(self._split, 1)
        self._overlay = StateOverlay(self._tree.viewport())
        self.show_role(None)
        self._fit_bar()

    def _build_tree(self) -> QTreeView:
        tree = QTreeView(self)
        tree.setModel(self._model)
        tree.setAccessibleName("Cameras and devices")
        tree.setUniformRowHeights(True)
        tree.setIndentation(round(look().sizes.body * 0.8))
        tree.setAllColumnsShowFocus(True)
        tree.setSortingEnabled(True)
        tree.sortByColumn(NAME, Qt.SortOrder.AscendingOrder)
        tree.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        tree.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        tree.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        tree.setDragEnabled(True)
        tree.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        tree.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        tree.setTextElideMode(Qt.TextElideMode.ElideRight)
        tree.customContextMenuRequested.connect(self._on_menu)
        tree.doubleClicked.connect(self._on_goto)
        service = QShortcut(QKeySequence("O"), tree)
        service.setContext(Qt.ShortcutContext.WidgetShortcut)
        service.activated.connect(self._on_service)
        tree.expanded.connect(lambda index: self._on_branch(index, True))
        tree.collapsed.connect(lambda index: self._on_branch(index, False))
        tree.selectionModel().currentChanged.connect(self._on_current)
        tree.selectionModel().selectionChanged.connect(self._on_chosen)
        header = tree.header()
        tree.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header.setStretchLastSection(False)
        header.setSectionsMovable(False)
        header.setMinimumSectionSize(look().sizes.body * 2)
        return tree

    def _refresh(self) -> None:
        self._fresh = {}
        if len(self._devices) <= _AT_ONCE:
            self._to_make = None
            self._show_made()
        else:
            self._to_make = iter(tuple(self._devices))
            self._making.start()

    def _make_some(self) -> None:
        """Make some of many rows; what comes meanwhile is newer than what is made here."""
        if self._to_make is None:
            return
        portion = list(islice(self._to_make, _PORTION))
        self._fresh |= {
            key: self._device_row(key) for key in portion if key in self._devices and key not in self._fresh
        }
        if portion:
            self._making.start()
        else:
            self._to_make = None
            self._show_made()

    def _show_made(self) -> None:
        rows = [self._camera_row(key) for key in self._cameras]
        rows += [self._fresh[key] if key in self._fresh else self._device_row(key) for key in self._devices]
        self._fresh = {}
        self._model.show_rows(rows)
        if self._selected is not None and self._model.get(self._selected) is None:
            self._selected = None
            self.item_selected.emit("", "")
        self._refresh_details()
        self._refresh_overlay()

    def _update(self, rows: list[DeviceRow]) -> None:
        """Bring single lines up to date: most of 10,000 devices say nothing new in a tenth of a second."""
        if self._to_make is not None:
            self._fresh |= {row.item_id: row for row in rows if row.kind != "camera"}
        if self._model.update_rows(rows):
            if self._model.n_all <= _AT_ONCE:
                self._model.refresh()
            elif not self._ordering.isActive():
                self._ordering.start()
        if self._selected is not None and any(row.key == self._selected for row in rows):
            self._refresh_details()
        self._refresh_overlay()

    def _order(self) -> None:
        """Look at the order of all rows; of many, some in each turn of the loop."""
        if self._model.n_all <= _AT_ONCE:
            self._model.arrange()
            self._on_ordered()
        else:
            self._arranging = self._model.arrange_in_turns()
            self._arrange_some()

    def _arrange_some(self) -> None:
        if next(self._arranging, _DONE) is _DONE:
            self._on_ordered()
        else:
            self._step.start()

    def _on_ordered(self) -> None:
        self._model.show_arranged()
        self._refresh_overlay()

    def _camera_row(self, camera_id: str) -> DeviceRow:
        return camera_row(self._cameras[camera_id], self._streams.get(camera_id), self._clock.now())

    def _device_row(self, device_id: str) -> DeviceRow:
        return device_row(self._devices[device_id], self._readings.get(device_id, {}).values())

    def _refresh_details(self) -> None:
        row = self._model.get(self._selected) if self._selected is not None else None
        if row is None:
            self._details.show_nothing()
        elif row.kind == "camera":
            self._details.show_camera(row, self._cameras[row.item_id], self._streams.get(row.item_id))
        else:
            self._details.show_device(
                row, self._devices[row.item_id], tuple(self._readings.get(row.item_id, {}).values())
            )
        self._fit_details()

    def _fit_bar(self) -> None:
        """Give the search field a line of its own where it is narrow, and the chooser of branches one more."""
        width, body = self.width(), look().sizes.body
        buttons: tuple[QWidget, ...] = (self._add, self._add_device, self._from_list)
        if width >= body * _ONE_LINE_EM:
            lines: tuple[tuple[QWidget, ...], ...] = (
                (self._search, self._states, self._grouping, self._count, *buttons, self._removed, self._keys),
            )
        elif width >= body * _TWO_LINES_EM:
            lines = ((self._search, self._removed, self._keys), (self._states, self._grouping, self._count, *buttons))
        else:
            lines = ((self._search, self._keys), (self._states, self._removed, self._count), (self._grouping, *buttons))
        if lines == self._lines:
            return
        self._lines = lines
        self._is_one_line = len(lines) == 1
        for widget in (self._search, self._states, self._grouping, self._count, *buttons, self._removed, self._keys):
            self._bar.removeWidget(widget)
        n_columns = max(map(len, lines))
        for number, line in enumerate(lines):
            n_more = n_columns - len(line)
            is_search = line[0] is self._search
            for column, widget in enumerate(line):
                is_wide = column == (0 if is_search else len(line) - 1)
                at = column + n_more if is_search and column else column
                self._bar.addWidget(widget, number, at, 1, 1 + n_more if is_wide else 1)
        for column in range(9):
            self._bar.setColumnStretch(column, int(column == (0 if self._is_one_line else n_columns - 4)))
        words_of = (
            (self._add, "Add camera"),
            (self._add_device, "Add device"),
            (self._from_list, "Add from list"),
            (self._keys, "Keys"),
        )
        for button, words in words_of:
            set_role(button, "" if self._is_one_line else "icon")
            button.setText(words if self._is_one_line else "")
        self._tint_add()

    def _tint_add(self) -> None:
        self._add.setAccessibleName("Add camera")
        self._add.setIcon(QIcon() if self._is_one_line else icon("add"))
        self._add_device.setAccessibleName("Add one device")
        self._add_device.setIcon(QIcon() if self._is_one_line else icon("device"))
        self._from_list.setAccessibleName("Add devices from a list")
        self._from_list.setIcon(QIcon() if self._is_one_line else icon("database"))
        self._removed.setAccessibleName("Removed devices")
        self._removed.setIcon(icon("undo"))
        self._keys.setAccessibleName("Device keys")
        self._keys.setIcon(QIcon() if self._is_one_line else icon("lock"))

    def _fit_columns(self) -> None:
        """Leave out what does not fit; the name gets what the others leave."""
        body = look().sizes.body
        width = self._tree.width()
        for column, least_em in _COLUMN_EM.items():
            self._tree.setColumnHidden(column, width < body * least_em)
        is_narrow = self._tree.isColumnHidden(SEEN)
        header, text = self._tree.header(), self._tree.fontMetrics()
        stretched = NAME if self._tree.isColumnHidden(ADDRESS) else ADDRESS
        for column in range(len(COLUMNS)):
            is_stretched = column == stretched
            header.setSectionResizeMode(
                column, QHeaderView.ResizeMode.Stretch if is_stretched else QHeaderView.ResizeMode.Interactive
            )
        samples = {
            NAME: "Station 00 Harbour Road",
            SEEN: "00:00:00",
            VALUE: "000 km/h" if is_narrow else "000/000 bays",
        }
        samples[STATE] = "online" if is_narrow else "password refused"
        for column, sample in samples.items():
            icon_px = look().sizes.icon + 4 if column == STATE else 0
            if column != stretched:
                self._tree.setColumnWidth(column, text.horizontalAdvance(sample) + icon_px + round(body * 1.2))

    def _fit_details(self) -> None:
        """Below the tree, figures of nothing are one line, and those of a thing get a good part of the height."""
        is_below = self._split.orientation() is Qt.Orientation.Vertical
        has_details = self._selected is not None or not is_below
        self._details.setMaximumHeight(16_777_215 if has_details else self._details.hint_height())
        if has_details and not self._had_details and is_below:
            height = self._split.height()
            lower = round(height * self._details_share)
            self._split.setSizes([height - lower, lower])
        self._had_details = has_details and is_below

    def _on_split_moved(self, place: int, _index: int) -> None:
        self._fit_columns()
        if self._had_details and self._split.height():
            self._details_share = 1.0 - place / self._split.height()

    def _refresh_overlay(self) -> None:
        shown, total = self._model.n_shown, self._model.n_all
        self._count.setText(f"{total}" if shown == total else f"{shown} of {total}")
        if not self._is_known:
            self._overlay.show_state(PanelState.LOADING, "Waiting for the node's list of devices.")
        elif not total:
            self._overlay.show_state(
                PanelState.EMPTY,
                "There is no camera and no device yet.",
                "Add a camera; devices appear when they speak.",
            )
        elif not shown:
            self._overlay.show_state(
                PanelState.EMPTY,
                "Nothing matches.",
                "Esc empties the search field; check the filter beside it.",
            )
        else:
            self._overlay.clear()

    def _select_in_tree(self) -> None:
        index = self._model.index_of(self._selected) if self._selected is not None else QModelIndex()
        selection = self._tree.selectionModel()
        selection.blockSignals(True)
        self._tree.setCurrentIndex(index)
        selection.blockSignals(False)
        if index.isValid():
            self._tree.scrollTo(index)
        self._tree.viewport().update()

    def _on_before_reset(self) -> None:
        rows = (self._model.row_at(index) for index in self._tree.selectionModel().selectedRows())
        self._chosen = [row.key for row in rows if row is not None]

    def _on_reset(self) -> None:
        for group in range(self._model.rowCount()):
            index = self._model.index(group, 0)
            self._tree.setExpanded(index, self._model.branch_name(group) not in self._closed)
        self._select_in_tree()
        if len(self._chosen) > 1:
            self._choose_again()
        # A reset tells nobody that what was chosen is gone.
        self._on_chosen()

    def _choose_again(self) -> None:
        """What was chosen stays chosen, wherever it stands now."""
        chosen = QItemSelection()
        for index in map(self._model.index_of, self._chosen):
            if index.isValid():
                chosen.select(index, index)
        self._tree.selectionModel().select(
            chosen, QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
        )

    def _on_branch(self, index: QModelIndex, is_open: bool) -> None:
        if index.parent().isValid():
            # The key * opens rows as well, which have nothing below them.
            return
        name = self._model.branch_name(index.row())
        if is_open:
            self._closed.discard(name)
        else:
            self._closed.add(name)

    def _on_current(self, index: QModelIndex) -> None:
        row = self._model.row_at(index)
        key = row.key if row is not None else None
        if key == self._selected:
            return
        self._selected = key
        self._refresh_details()
        self.item_selected.emit(*(key or ("", "")))

    def _on_chosen(self) -> None:
        rows = (self._model.row_at(index) for index in self._tree.selectionModel().selectedRows())
        self.bulk.show_rows([row for row in rows if row is not None])

    def _on_goto(self, index: QModelIndex) -> None:
        row = self._model.row_at(index)
        if row is not None:
            self.goto_requested.emit(*row.key)

    def _on_query(self, query: str) -> None:
        self._model.set_query(query)
        self._refresh_overlay()

    def _on_filter(self) -> None:
        self._model.set_filter(self._states.currentData())
        self._refresh_overlay()

    def _on_grouping(self) -> None:
        self._model.set_grouping(self._grouping.currentData())
        self._model.arrange()
        if self._model.n_all <= _AT_ONCE:
            self._on_ordered()
        else:
            QTimer.singleShot(0, self, self._on_ordered)

    def _on_search_left(self) -> None:
        self._tree.setFocus(Qt.FocusReason.ShortcutFocusReason)
        if self._selected is None and self._model.n_shown:
            self._tree.setCurrentIndex(self._model.index(0, 0, self._model.index(0, 0)))

    def _on_second(self) -> None:
        self._model.refresh_ages()
        if self._selected is not None and self._selected[0] != "camera":
            self._refresh_details()

    def _on_menu(self, place: QPoint) -> None:
        row = self._model.row_at(self._tree.indexAt(place))
        if row is None:
            return
        menu = self.menu_for(row)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self._tree.viewport().mapToGlobal(place))

    def menu_for(self, row: DeviceRow) -> QMenu:
        """Return what can be done with a row; removing takes the button that is held."""
        menu = QMenu(self)
        menu.addAction("Go to", lambda: self.goto_requested.emit(*row.key))
        if row.kind != "camera":
            menu.addAction("Open", lambda: self.page_requested.emit(row.item_id))
        switch = menu.addAction("Disable" if row.is_enabled else "Enable")
        switch.triggered.connect(
            lambda: self.set_enabled_requested.emit(row.kind, row.item_id, not row.is_enabled, row.version)
        )
        switch.setEnabled(self._role is not None and self._role >= role_to_switch(row.kind))
        service = menu.addAction("Take out of service   O", lambda: self._ask_service(*row.key))
        service.setEnabled(self._may_take_out)
        if row.kind == "camera":
            menu.addAction("Edit scene", lambda: self.scene_requested.emit(row.item_id))
            edit = menu.addAction("Edit", lambda: self.edit_requested.emit(row.item_id))
            edit.setEnabled(self._role is not None and self._role >= ROLE_TO_CHANGE)
        return menu

    @property
    def _may_take_out(self) -> bool:
        return self._role is not None and self._role >= Role.SUPERVISOR

    def _on_service(self) -> None:
        if self._selected is not None and self._may_take_out:
            self._ask_service(*self._selected)

    def _ask_service(self, kind: str, item_id: str) -> None:
        self.service_requested.emit(SourceKind.CAMERA if kind == "camera" else SourceKind.DEVICE, item_id)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter goes to what is selected, Alt+Enter opens its page, Esc lets go of it."""
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if is_enter and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            if self._selected is not None and self._selected[0] != "camera":
                self.page_requested.emit(self._selected[1])
        elif is_enter and self._selected is not None:
            self.goto_requested.emit(*self._selected)
        elif event.key() == Qt.Key.Key_Escape and self._selected is not None:
            self._tree.setCurrentIndex(QModelIndex())
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the figures below the tree where there is no room beside it."""
        super().resizeEvent(event)
        is_wide = self.width() >= _SIDE_BY_SIDE_PX
        wanted = Qt.Orientation.Horizontal if is_wide else Qt.Orientation.Vertical
        if self._split.orientation() is not wanted:
            self._split.setOrientation(wanted)
            self._had_details = False
            self._split.setSizes([650, 350])
        self._fit_bar()
        self._fit_columns()
        self._fit_details()

    def changeEvent(self, event: QEvent) -> None:
        """Take the new theme."""
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "_model"):
            self._model.refresh_look()
            self._tint_add()
            self._fit_columns()
        super().changeEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        """Tell ages only while someone can read them."""
        super().showEvent(event)
        self._fit_columns()
        self._ageing.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop telling ages."""
        super().hideEvent(event)
        self._ageing.stop()
