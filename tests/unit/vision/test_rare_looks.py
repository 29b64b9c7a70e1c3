"""What the rules make of a camera that an overloaded machine looks at once a second: real tracker, real rules."""

from dataclasses import replace

import numpy as np
import pytest

from core.vision.model import ObservationKind, Phase, TrackerKind, Zone
from core.vision.rules import SceneRules
from core.vision.tracker import make_tracker
from tests.unit.vision.roads import ASPECT, LABELS, detections, drive, watch
from tests.unit.vision.streets import STREET, Street

ROAD = Zone(key="road", name="Road", polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)), stopped_after_s=5.0)
FOLLOWED = (ObservationKind.COLLISION, ObservationKind.WRONG_WAY, ObservationKind.STOPPED_VEHICLE)


def looked_at(pictures, *, every, kind=TrackerKind.BYTETRACK):
    """Hand every so-many-th picture to a tracker, as boxes without numbers."""
    tracker = make_tracker(kind, labels=LABELS, aspect=ASPECT)
    for index, (at_s, tracks) in enumerate(pictures):
        if index % every == 0:
            rows = [detections(track.bbox_xyxy, label=track.label, score=track.score)[0] for track in tracks]
            boxes = detections() if not rows else np.stack(rows)
            yield at_s, list(tracker.update(boxes, at_s))


@pytest.mark.parametrize("kind", list(TrackerKind))
@pytest.mark.parametrize("every", [5, 10, 20])
@pytest.mark.parametrize("street", [{"per_minute": 20, "seed": 2}, {"per_minute": 26, "speed": 9.0, "seed": 5}])
def test_flowing_traffic_calls_nobody_however_rarely_it_is_looked_at(street, every, kind):
    scene = replace(STREET, zones=(ROAD,))
    pictures = looked_at(Street(**street).pictures(300, fps=10), every=every, kind=kind)

    seen = watch(scene, pictures, SceneRules("cam-1", scene, ASPECT, labels=frozenset({"car", "bus", "truck"})))

    assert [o for o in seen if o.kind in FOLLOWED and o.phase is Phase.BEGIN and o.confidence >= 0.8] == []


@pytest.mark.parametrize("fps", [1.0, 2.0, 5.0])
def test_a_vehicle_that_stands_is_told_as_soon_as_it_was_seen_often_enough(fps):
    scene = replace(STREET, lanes=(), zones=(ROAD,))
    quiet = [(step / fps, []) for step in range(round(70 * fps))]

    def stops(at_s):
        return 0.5, min(0.6, 0.3 + 0.2 * (at_s - 70))

    seen = watch(scene, [*quiet, *drive(stops, seconds=40, from_s=70.0, fps=fps)])
    begun = [o for o in seen if o.kind is ObservationKind.STOPPED_VEHICLE and o.phase is Phase.BEGIN]

    assert len(begun) == 1
    stood_s = begun[0].pts_s - 71.5
    assert max(4.8, 9 / fps) <= stood_s <= max(5.0, 10 / fps) + 2 / fps
