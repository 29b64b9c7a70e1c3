"""Planned works: what is expected to raise alarms, and so suppresses them by design."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from app.panel import Area, PanelInfo, Perspective
from app.room import Room
from app.sources import SourcesOnSight
from core.incidents.suppression import PlannedWorks
from core.kernel.errors import ConsoleError
from widgets.alarms.works import WorksDraft, WorksPage


def create(room: Room) -> QWidget:
    """Build the page and connect it."""
    page, live = WorksPage(), room.live

    def on_plan(draft: WorksDraft) -> None:
        def planned(works: PlannedWorks) -> None:
            page.show_planned(works)
            room.toast(f"{works.title} is planned.", "Its alarms are suppressed by design while it goes on.")

        room.ask(
            "alarms.plan_works",
            PlannedWorks,
            then=planned,
            refused=lambda error: page.show_refused(f"{error.message} {error.hint}".strip()),
            works=PlannedWorks(
                works_id="",
                title=draft.title,
                sources=draft.sources,
                since=draft.since,
                until=draft.until,
                by="",
                reason=draft.reason,
                kinds=draft.kinds,
            ),
        )

    def on_end(works: PlannedWorks) -> None:
        room.ask("alarms.end_works", works_id=works.works_id, version=works.version)

    def on_past() -> None:
        def refused(_error: ConsoleError) -> None:
            """Say nothing: without a node the whole window says so."""

        room.ask("alarms.past_works", list[PlannedWorks], then=page.show_past, refused=refused)

    def on_rules() -> None:
        if live.rules is not None:
            page.show_kinds(kind for rule in live.rules.rules for kind in rule.applies_to.kinds)

    page.plan_requested.connect(on_plan)
    page.end_requested.connect(on_end)
    page.past_requested.connect(on_past)
    live.holds_changed.connect(lambda: page.show_works(live.holds.works))
    live.alarms_changed.connect(lambda: page.show_alarms(live.open_alarms()))
    SourcesOnSight(live, page, page.show_sources)
    live.rules_changed.connect(on_rules)
    on_rules()
    room.node_back.connect(on_past)
    page.show_role(room.role)
    room.role_changed.connect(page.show_role)
    return page


PANEL = PanelInfo(
    key="works",
    title="Works",
    create=create,
    area=Area.CENTER,
    shortcut="Ctrl+Shift+C",
    order=8,
    icon="clock",
    perspectives=frozenset({Perspective.ALARMS}),
)
