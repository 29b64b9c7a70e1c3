"""How many bays are free, for signs: each drawn lot and each of its zones, retained on the broker.

`watchfloor/v1/{tenant}/availability/{lot}/state/{lot or zone-…}` holds the newest `OffStreetParking`. What nobody knows
is left out, so that a sign goes dark instead of promising a bay; and it is told again every minute, so that a sign that
hears nothing for three goes dark by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from core.field.payloads import Birth, Envelope, Location, Payload, Quality, Status, StreamInfo
from core.field.topics import AVAILABILITY_GROUP, Channel, DeviceTopic
from core.kernel.ids import new_id
from core.node.camera_flow import slug
from core.parking.model import Lot, LotOccupancy, ZoneOccupancy
from core.parking.occupancy import sign_zones

PAYLOAD = "OffStreetParking"
MODEL = "Watchfloor lot"
WHOLE = "lot"
PERIOD = timedelta(seconds=60)
STALE_S = 180.0
DOUBTFUL_SHARE = 0.1
"""Beyond this share of unknown bays the number is marked uncertain."""


class LotSigns:
    """Publishes what signs show.

    Threads: the node's loop.
    """

    def __init__(self, *, tenant: str, boot: str, publish: Callable[[DeviceTopic, Payload | None], None]) -> None:
        """Say nothing yet; `publish` puts a payload on the broker, retained, and takes it away with None."""
        self._tenant, self._boot, self._publish = tenant, boot, publish
        self._lots: dict[str, Lot] = {}
        self._newest: dict[str, LotOccupancy] = {}
        self._streams: dict[str, frozenset[str]] = {}
        self._told: dict[tuple[str, str], tuple[datetime, dict[str, Any]]] = {}
        self._seq = 0

    def set_lot(self, lot: Lot, now: datetime) -> None:
        """Introduce a lot, as it is drawn now."""
        streams = frozenset((WHOLE, *map(stream_of, sign_zones(lot))))
        for stream in self._streams.get(lot.lot_id, frozenset()) - streams:
            self._say(lot.lot_id, Channel.STATE, None, stream)
            self._told.pop((lot.lot_id, stream), None)
        self._lots[lot.lot_id], self._streams[lot.lot_id] = lot, streams
        place = lot.position
        birth = Birth(
            name=lot.name[:200],
            model=MODEL,
            boot=self._boot,
            ts=now,
            location=None if place is None else Location(lat=place.lat_deg, lon=place.lon_deg),
            streams=tuple(
                StreamInfo(
                    name=stream,
                    type=PAYLOAD,
                    smart_data_model=PAYLOAD,
                    period=PERIOD.total_seconds(),
                    stale_s=STALE_S,
                )
                for stream in sorted(streams)
            ),
        )
        self._say(lot.lot_id, Channel.BIRTH, birth)
        self._say(lot.lot_id, Channel.STATUS, Status(state="online", boot=self._boot, ts=now))

    def remove_lot(self, lot_id: str) -> None:
        """Take away what stands on the broker of a lot."""
        if self._lots.pop(lot_id, None) is None:
            return
        self._newest.pop(lot_id, None)
        for stream in self._streams.pop(lot_id):
            self._say(lot_id, Channel.STATE, None, stream)
            self._told.pop((lot_id, stream), None)
        self._say(lot_id, Channel.STATUS, None)
        self._say(lot_id, Channel.BIRTH, None)

    def tell(self, occupancy: LotOccupancy, now: datetime) -> None:
        """Publish a drawn lot and its zones where the number is another, or was told long ago."""
        lot_id = occupancy.lot_id
        if lot_id not in self._lots:
            return
        self._newest[lot_id] = occupancy
        self._tell_one(lot_id, WHOLE, occupancy, now)
        for zone in occupancy.zones:
            if stream_of(zone.zone) in self._streams[lot_id]:
                self._tell_one(lot_id, stream_of(zone.zone), zone, now)

    def tell_again(self, now: datetime) -> None:
        """Repeat what was told a minute ago; call it once a second."""
        for occupancy in tuple(self._newest.values()):
            self.tell(occupancy, now)

    def say_goodbye(self, now: datetime) -> None:
        """This node ends: no sign may believe what stands on the broker."""
        for lot_id in self._lots:
            for stream in self._streams[lot_id]:
                self._say(lot_id, Channel.STATE, self._envelope({}, Quality.BAD, now), stream)
            self._say(lot_id, Channel.STATUS, Status(state="offline", boot=self._boot, ts=now))

    def _tell_one(self, lot_id: str, stream: str, counted: LotOccupancy | ZoneOccupancy, now: datetime) -> None:
        data = data_of(counted)
        told = self._told.get((lot_id, stream))
        if told is not None and told[1] == data and now - told[0] < PERIOD:
            return
        self._told[lot_id, stream] = (now, data)
        is_sure = counted.n_unknown <= DOUBTFUL_SHARE * counted.n_bays
        quality = Quality.GOOD if is_sure else Quality.UNCERTAIN
        self._say(lot_id, Channel.STATE, self._envelope(data, quality, now), stream)

    def _envelope(self, data: dict[str, Any], quality: Quality, now: datetime) -> Envelope:
        self._seq += 1
        return Envelope(id=new_id(), type=PAYLOAD, ts=now, boot=self._boot, seq=self._seq, q=quality, data=data)

    def _say(self, lot_id: str, channel: Channel, payload: Payload | None, stream: str = "") -> None:
        topic = DeviceTopic(
            tenant=self._tenant, group=AVAILABILITY_GROUP, device=slug(lot_id), channel=channel, stream=stream
        )
        self._publish(topic, payload)


def stream_of(zone: str) -> str:
    """Return the stream of a zone."""
    return slug(f"zone-{zone}")


def data_of(counted: LotOccupancy | ZoneOccupancy) -> dict[str, Any]:
    """Return the figures in the names of OffStreetParking; without a free number where nobody knows any bay."""
    data: dict[str, Any] = {"totalSpotNumber": counted.n_bays, "unknownSpotNumber": counted.n_unknown}
    if counted.n_unknown < counted.n_bays or not counted.n_bays:
        data["availableSpotNumber"] = counted.n_free
    return data
