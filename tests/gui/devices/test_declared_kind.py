"""A device kind is one declaration: the tree needs nothing else to show it."""

from datetime import UTC, datetime

from core.field.model import Device, Reading
from core.kernel.clock import FakeClock
from widgets.devices.device_panel import DevicePanel
from widgets.devices.tree_model import NAME, VALUE, GroupBy


def test_the_kind_of_the_how_to_has_a_branch_of_its_own_with_its_rows_and_their_units(air, qtbot):
    panel = DevicePanel(FakeClock())
    qtbot.addWidget(panel)
    panel.show_devices((Device(device_id="air/mill", kind="air", name="Mill"),))
    dusty = Reading(device_id="air/mill", stream="air", at=datetime(2026, 1, 1, tzinfo=UTC), values={"pm25": 80.4})
    panel.update_readings([dusty])
    panel.divide(GroupBy.KIND)

    model = panel.tree.model()
    branch = model.index(0, 0)
    assert branch.data() == "Air quality  1"
    assert [model.index(0, column, branch).data() for column in (NAME, VALUE)] == ["Mill", "PM2.5 80 µg/m³"]
