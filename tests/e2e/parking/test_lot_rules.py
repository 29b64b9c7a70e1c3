"""What sensors tell that is wrong at a lot becomes an alarm with its incident, read in a console.

Pictures lie in the folder of `pytest --basetemp`, or in that of WATCHFLOOR_PICTURES.
"""

from dataclasses import replace

import pytest

from core.incidents.rules.model import RuleSet, RulesInForce
from core.parking.model import Bay, BayKind, Lot
from core.parking.rules import LotRule
from tests.e2e.parking.test_lots import take_pictures
from tests.e2e.room.test_main_job import create_administrator
from tests.fixtures.console import act, until

SIZE = (1920, 1080)
SENSED = Lot(
    lot_id="quay",
    name="Quay",
    bays=(Bay(bay_id="E1", kind=BayKind.EV), Bay(bay_id="S1", max_stay_min=1), Bay(bay_id="S2")),
    device_ids=("parking/gw",),
)
WRONG = {"No permit: bay E1, Quay", "Overstay: bay S1, Quay", "Full: Quay"}


def without_patience(rules: RuleSet) -> RuleSet:
    """Return rules that call at once about lots."""
    about = {rule.value for rule in LotRule}
    return replace(
        rules,
        rules=tuple(
            replace(rule, limits=replace(rule.limits, on_delay_s=0.0)) if about & set(rule.applies_to.kinds) else rule
            for rule in rules.rules
        ),
    )


@pytest.mark.slow
@pytest.mark.timeout(360)
def test_overstay_wrong_kind_and_a_full_lot_call_with_their_place_and_an_incident(
    start_node, in_room, mosquitto, field, tmp_path
):
    node = start_node(
        f"broker.host={mosquitto.host}",
        f"broker.port={mosquitto.port}",
        "site.tenant=e2e",
        "vision.model=demo",
    )

    async def scenario(open_console) -> None:
        console = open_console(node.folder, desk="Desk 1", size=SIZE)
        await create_administrator(console)
        call, live = console.connection.call, console.live
        await until(lambda: live.rules is not None, "the alarm rules")
        await call(
            "rules.save",
            RulesInForce,
            rules=without_patience(live.rules.rules),
            version=live.rules.version,
            reason="a test waits for nobody",
        )
        await call("parking.save_lot", Lot, lot=SENSED, note="drawn")
        field.sense("E1", "occupied", permit=False)
        field.sense("S1", "occupied")
        field.sense("S2", "occupied")

        def titles():
            return {alarm.title for alarm in live.open_alarms()}

        await until(lambda: titles() >= WRONG, "every rule to call", timeout_s=200.0)
        for alarm in live.open_alarms():
            if alarm.title in WRONG:
                assert not alarm.is_acknowledged
                assert alarm.incident_id in live.incidents
        console.window.bring_panel("alarms")
        await until(console.window.panel("alarms").isVisible, "the list of alarms")
        await act(take_pictures, console, tmp_path, "lot-rules")

        field.sense("S1", "free")
        await until(
            lambda: "Overstay: bay S1, Quay" not in {a.title for a in live.open_alarms() if a.is_active}, "its end"
        )

    in_room(scenario, timeout_s=300.0)
