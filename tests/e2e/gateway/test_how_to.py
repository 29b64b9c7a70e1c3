import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path

from core.field.model import DeviceState
from core.gateway.adapter import Adapter
from core.kernel.clock import format_at
from tests.e2e.field.rig import Node, settings_for, until
from tests.e2e.gateway.bus import Peer

PAGE = Path(__file__).resolve().parents[3] / "docs/how-to/add-a-field-adapter.md"


def adapter_of_the_page():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = {}
    exec(compile(code, str(PAGE), "exec"), found)
    return found["SensorThingsAdapter"]


def test_the_adapter_of_the_page_brings_a_datastream_into_the_room(mosquitto, tmp_path):
    kind = adapter_of_the_page()

    def make(node) -> list[Adapter]:
        return [kind(tenant="city", to_field=node.service.on_messages)]

    async def run():
        async with Node(tmp_path, settings_for(mosquitto), make_adapters=make) as node:
            await node.connected()
            peer = Peer(mosquitto)
            now = format_at(datetime.now(UTC))
            peer.say("v1.1/Datastreams(x)/Observations", {"result": 1.0, "phenomenonTime": now})
            peer.say("v1.1/Datastreams(42)/Observations", {"result": "wet", "phenomenonTime": now})
            peer.say("v1.1/Datastreams(42)/Observations", {"result": 12.5, "phenomenonTime": now})
            await until(lambda: node.service.newest("sensorthings/42"))
            peer.close()
            assert node.service.newest("sensorthings/42")[0].values == {"result": 12.5}
            assert node.device("sensorthings/42").state is DeviceState.ONLINE
            report = node.gateway.reports()[0]
            assert (report.n_messages, report.n_bad_messages, report.note) == (3, 2, "1 datastreams")

    asyncio.run(run())
