"""What people read and type is in the zone of the site: `core.kernel.zone`, `widgets.base.times`, `MomentEdit`."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDERS = ("app", "core", "widgets")

AT_THE_SITE = {
    "core/kernel/zone.py": "where it is written",
    "widgets/base/moment_edit.py": "where it is typed: its wall is that of the site",
    "core/incidents/handover.py": "a report is written in the zone that it names, also years later",
    "core/incidents/rules/trial.py": "days of the book's zone",
    "widgets/lots/forecast_chart.py": "a forecast names its zone, which the node took from the site",
    "widgets/lots/forecast_words.py": "a forecast names its zone, which the node took from the site",
    "widgets/lots/when_picker.py": "days of the forecast's zone",
}
FOR_MACHINES = {
    **dict.fromkeys(
        ("app/bench_alarms.py", "app/bench_fleet.py", "app/bench_parking.py", "app/bench_ui.py"), "payloads"
    ),
    "app/snapshots.py": "sidecar, and a file name that ends in Z",
    "core/access/audit.py": "what is hashed",
    "core/cameras/onvif/soap.py": "a SOAP header",
    "core/drones/mavlink/raw_log.py": "files that the node finds again by their names",
    "core/gateway/cot.py": "Cursor on Target",
    "core/gateway/edge/client.py": "HTTP headers, and the log of a machine without a site",
    "core/gateway/http/drone_desk.py": "an answer to a machine",
    "core/gateway/http/frames.py": "an answer to a machine",
    "core/gateway/sparkplug.py": "a key that names a birth",
    "core/incidents/cap.py": "CAP",
    "core/incidents/evidence.py": "folders that the node finds again by their names",
    "core/kernel/clock.py": "payloads",
    "core/kernel/lock.py": "what another process reads",
    "core/node/call_spool.py": "a damaged file that is put aside",
    "core/node/camera_flow.py": "a payload on the broker",
    "core/store/migrate.py": "a backup, whose name ends in Z",
    "core/store/tables.py": "an error of a programmer",
    "widgets/figures/rows.py": "the key of a line",
}


def places_of(source: str) -> list[tuple[int, str]]:
    """Return where a text writes or reads an instant in a zone that it does not take from the site, by line."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FormattedValue | ast.Call)]
    return [
        (node.lineno, ast.unparse(node))
        for node in nodes
        if (_is_written(node) if isinstance(node, ast.FormattedValue) else _is_called(node))
    ]


def _is_written(node: ast.FormattedValue) -> bool:
    if node.format_spec is None:
        name = node.value.attr if isinstance(node.value, ast.Attribute) else ""
        return name.endswith(("_at", "_until", "_since")) or name in ("until", "since")
    spec = "".join(part.value for part in node.format_spec.values if isinstance(part, ast.Constant))
    return "%" in spec.rstrip("%") and not _is_of_site(node.value)


def _is_called(node: ast.Call) -> bool:
    of, name = "", node.func.id if isinstance(node.func, ast.Name) else ""
    if isinstance(node.func, ast.Attribute):
        name = node.func.attr
        of = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
    n_arguments = len(node.args) + len(node.keywords)
    if name in ("strftime", "localtime", "ctime", "toLocalTime", "toPython", "fromSecsSinceEpoch"):
        return True
    if name in ("QDateTimeEdit", "QDateEdit", "QTimeEdit"):
        return True
    if name == "astimezone" or (of in ("datetime", "date") and name in ("now", "today")):
        return n_arguments == 0
    if name == "fromtimestamp":
        return n_arguments < 2
    return name == "isoformat" and isinstance(node.func, ast.Attribute) and not _is_of_site(node.func.value)


def _is_of_site(value: ast.expr) -> bool:
    return ast.unparse(value).startswith(("to_site(", "local"))


def test_no_other_place_writes_or_reads_times_for_people():
    found = [
        f"{name}:{line}: {what}"
        for folder in FOLDERS
        for file in sorted((ROOT / folder).rglob("*.py"))
        if (name := file.relative_to(ROOT).as_posix()) not in AT_THE_SITE | FOR_MACHINES
        for line, what in places_of(file.read_text(encoding="utf-8"))
    ]

    assert not found, "write it with widgets/base/times.py or core/kernel/zone.py:\n" + "\n".join(found)


def test_every_place_that_may_still_does():
    idle = [name for name in AT_THE_SITE | FOR_MACHINES if not places_of((ROOT / name).read_text(encoding="utf-8"))]

    assert not idle


@pytest.mark.parametrize(
    "line",
    [
        "at.astimezone()",
        "datetime.now()",
        "datetime.fromtimestamp(at_s)",
        'at.strftime("%H:%M")',
        'f"{alarm.raised_at:%H:%M:%S} UTC"',
        "at.isoformat()",
        "field.dateTime().toPython()",
        "QDateTime.fromSecsSinceEpoch(1)",
        'f"until {alarm.shelved_until}"',
        "QDateTimeEdit(self)",
    ],
)
def test_what_writes_or_reads_in_another_zone_is_found(line):
    assert places_of(line)


@pytest.mark.parametrize("line", ["datetime.now(UTC)", 'f"{to_site(at):%H:%M}"', 'f"{share:.0%}"', "format_clock(at)"])
def test_what_takes_the_zone_of_the_site_is_not(line):
    assert not places_of(line)
