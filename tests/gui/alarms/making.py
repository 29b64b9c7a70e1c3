"""Alarms for tests."""

from datetime import timedelta

from core.incidents.model import Alarm, Priority, SourceKind
from core.kernel.clock import FakeClock

NOW = FakeClock().now()


def make_alarm(
    alarm_id,
    priority=Priority.HIGH,
    *,
    is_active=True,
    is_acknowledged=False,
    age_s=60.0,
    version=1,
    title="Congestion",
    source_name="Harbour Road",
    **more,
):
    at = NOW - timedelta(seconds=age_s)
    return Alarm(
        alarm_id=alarm_id,
        condition_key=f"camera/{alarm_id}/congestion",
        occurrence=f"occurrence-{alarm_id}",
        incident_id=f"incident-{alarm_id}",
        kind="congestion",
        title=title,
        detail="Density 0.9 for 40 s.",
        priority=priority,
        source_kind=SourceKind.CAMERA,
        source_id="c1",
        source_name=source_name,
        is_active=is_active,
        is_acknowledged=is_acknowledged,
        raised_at=at,
        changed_at=at,
        acknowledged_at=NOW if is_acknowledged else None,
        acknowledged_by="dana" if is_acknowledged else "",
        version=version,
        **more,
    )
