"""Rules that a supervisor saves reach every console, in the words of the link."""

import asyncio

from app.live import LiveModel
from core.incidents.rules.model import RulesInForce
from core.incidents.rules.text import shipped_rules
from core.kernel.wire import from_bytes, to_bytes
from core.node.live import LiveCollector, without_defaults


def test_other_rules_are_pushed_whole_and_told_to_the_panels(qtbot):
    pushed = []

    async def push():
        collector = LiveCollector(pushed.append)
        collector.add_rules(RulesInForce(rules=shipped_rules(), version=7))
        await asyncio.sleep(0.01)

    asyncio.run(push())
    live = LiveModel()
    (changes,) = pushed

    with qtbot.waitSignal(live.rules_changed):
        live.apply(from_bytes(to_bytes(without_defaults(changes)), dict))

    assert live.rules == RulesInForce(rules=shipped_rules(), version=7)
    live.close()
