"""What the rules of a scene would have raised over recorded footage: nothing is stored, nobody is called.

The footage is looked at as often as a live camera is, by picture time, with the same masks and the same closer look, so
that the rules see what they would have seen.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TextIO

from core.kernel.errors import BadInputError, ConsoleError
from core.kernel.wire import to_builtins, to_json
from core.media.camera_source import is_same_shape
from core.media.model import SourceSpec
from core.media.parameters import public_address
from core.vision.analyse import CameraAnalyser
from core.vision.classes import missing_classes, missing_for_counts, missing_for_rules, other_classes
from core.vision.decode import FloatArray
from core.vision.detail import detail_of, merge_detail
from core.vision.dry_run_model import MAX_FOOTAGE_S, DryRun, DryRunOrder, Raised
from core.vision.engine import Engine, open_engine
from core.vision.model import DEFAULT_LABELS, Observation, ObservationKind, Phase, Scene
from core.vision.models import find_model
from core.vision.pipeline import Prepared, PreparedPictures
from core.vision.schedule import is_due, next_due_s
from core.vision.tuning import Tuning
from core.vision.view import print_of_part

MAX_RAISED = 500
MAX_WORK_S = 1800.0
PROGRESS_EVERY_S = 0.5
SILENT_S = 30.0
"""A camera may be open and bring nothing more; nobody waits for it for longer."""

_OTHER_SHAPE = (
    "These pictures have another shape ({now}) than the one that the privacy masks were drawn on ({drawn}): nobody "
    "knows where in them the private parts are, so they are not looked at."
)
_OTHER_SHAPE_HINT = "Choose footage of that shape; or set the camera back to it, or draw its masks anew."
_SEE_CAMERA = "See in Devices how the camera is, and try again."

COUNTED = (ObservationKind.ZONE_ENTERED, ObservationKind.LINE_CROSSED)
"""They are counts; a dry run tells how many, not which."""


class Collector:
    """Turns observations into what was raised: begin and end of one condition are one entry."""

    def __init__(self, scene: Scene, rehearse: Callable[[DryRun], DryRun] | None = None) -> None:
        """Start with nothing raised; `rehearse` adds the calls that would have come of it."""
        self._tuning = Tuning(scene)
        self._rehearse = rehearse
        self._raised: list[Raised] = []
        self._open: dict[str, int] = {}
        self._counted: Counter[str] = Counter()
        self.footage_s = 0.0
        """Seconds of pictures looked at so far."""

    def take(self, observations: Iterable[Observation], first_pts_s: float) -> None:
        """Take what the rules saw in one picture."""
        for observation in observations:
            if observation.kind in COUNTED:
                self._counted[observation.kind.value] += observation.phase is Phase.INSTANT
            elif observation.phase is Phase.END:
                self._end(observation, first_pts_s)
            else:
                self._begin(observation, first_pts_s)

    def report(self, run: DryRun) -> DryRun:
        """Return the run with everything that was raised so far, and what an operator would have heard of it."""
        found = replace(
            run,
            footage_s=max(run.footage_s, round(self.footage_s, 2)),
            raised=tuple(self._raised[:MAX_RAISED]),
            n_raised=dict(Counter(one.kind.value for one in self._raised)),
            n_sure=dict(Counter(one.kind.value for one in self._raised if one.sure_s is not None)),
            n_counted=dict(self._counted),
        )
        return found if self._rehearse is None else self._rehearse(found)

    def _begin(self, observation: Observation, first_pts_s: float) -> None:
        is_sure = observation.confidence >= self._call_from(observation.kind)
        at_s = round(observation.pts_s - first_pts_s, 2)
        index = self._open.get(observation.condition_key)
        if index is not None:
            # The rule has become surer.
            known = self._raised[index]
            confidence = max(known.confidence, observation.confidence)
            sure_s = at_s if is_sure and known.sure_s is None else known.sure_s
            self._raised[index] = replace(known, confidence=confidence, sure_s=sure_s)
            return
        if observation.phase is Phase.BEGIN:
            self._open[observation.condition_key] = len(self._raised)
        self._raised.append(
            Raised(
                kind=observation.kind,
                rule_key=observation.rule_key,
                place=observation.rule_name,
                condition_key=observation.condition_key,
                at_s=at_s,
                confidence=observation.confidence,
                sure_s=at_s if is_sure else None,
                label=observation.label,
                bbox_xyxy=observation.bbox_xyxy,
                values=observation.values,
            )
        )

    def _end(self, observation: Observation, first_pts_s: float) -> None:
        index = self._open.pop(observation.condition_key, None)
        if index is not None:
            ended_s = round(observation.pts_s - first_pts_s, 2)
            self._raised[index] = replace(self._raised[index], ended_s=ended_s, values=observation.values)

    def _call_from(self, kind: ObservationKind) -> float:
        try:
            return self._tuning.value(kind, "call_from")
        except KeyError:
            return 0.0


def dry_run(
    order: DryRunOrder,
    *,
    on_progress: Callable[[DryRun], None] = lambda _run: None,
    must_stop: Callable[[], bool] = lambda: False,
) -> DryRun:
    """Run the rules over footage; never raises for footage that cannot be used, that is a state with a sentence.

    Args:
        order: What to look at, and with what.
        on_progress: Hears twice a second how far it is, with what was raised so far.
        must_stop: Asked at every picture, and twice a second while none comes.
    """
    run = DryRun(run_id=order.run_id, camera_id=order.camera_id)
    collector = Collector(order.scene, order.rehearse)
    try:
        model = find_model(order.model, folder=order.models, allow_download=False)
        engine = open_engine(
            model,
            prefer=order.engine,
            n_threads=order.n_threads,
            cache_dir=order.models / "cache",
            confidence=order.confidence,
            iou=order.overlap,
            input_wh=order.input_wh,
        )
        try:
            run = replace(run, length_s=_length_s(order.source))
            done = _look(order, engine, collector, run, on_progress, must_stop)
            unseen = (
                missing_classes(engine.info, order.labels),
                *missing_for_counts(engine.info, order.scene),
                *missing_for_rules(engine.info, order.scene).values(),
            )
            return replace(done, message=" ".join(text for text in (done.message, *unseen) if text))
        finally:
            engine.close()
    except ConsoleError as error:
        return replace(collector.report(run), state="failed", message=error.message, hint=error.hint)


def _look(
    order: DryRunOrder,
    engine: Engine,
    collector: Collector,
    run: DryRun,
    on_progress: Callable[[DryRun], None],
    must_stop: Callable[[], bool],
) -> DryRun:
    began_at, began_s, told_s, came_s = datetime.now(UTC), *(time.monotonic(),) * 3
    source = replace(order.source, realtime=False, loops=False)
    analyser: CameraAnalyser | None = None
    first_pts_s = due_pts_s = 0.0
    n_looks = 0
    if others := other_classes(engine.info, order.labels):
        raise BadInputError(others)
    with PreparedPictures(source, engine.info.input_wh, scene=order.scene) as pictures:
        for picture in pictures.or_beats(PROGRESS_EVERY_S):
            if must_stop():
                return replace(collector.report(run), state="cancelled", message="The dry run was stopped.")
            if picture is None:
                if time.monotonic() - came_s <= SILENT_S:
                    continue
                if analyser is None:
                    raise BadInputError(f"No picture came for {SILENT_S:.0f} s.", hint=_SEE_CAMERA)
                return _fell_silent(collector.report(run))
            came_s = time.monotonic()
            _refuse_other_shape(order, picture)
            if analyser is None:
                analyser = _analyser_of(order, engine, picture)
                first_pts_s = due_pts_s = picture.pts_s
            if picture.pts_s < due_pts_s - 1.0 / order.detect_fps - 1e-3:
                due_pts_s = picture.pts_s  # Picture time stepped back.
            if not is_due(picture.pts_s, due_pts_s):
                continue
            footage_s = max(0.0, picture.pts_s - first_pts_s)
            if footage_s > min(order.limit_s, MAX_FOOTAGE_S) or time.monotonic() - began_s > MAX_WORK_S:
                return _cut_short(collector.report(run))
            due_pts_s = next_due_s(due_pts_s, picture.pts_s, order.detect_fps)
            boxes = _boxes_of(picture, engine, order.scene, turn=n_looks)
            n_looks += 1
            captured_at = began_at + timedelta(seconds=footage_s)
            seen = analyser.update(boxes, picture.letterbox, picture.pts_s, captured_at, picture.rgb)
            collector.take(seen.observations, first_pts_s)
            collector.footage_s = footage_s
            if time.monotonic() - told_s >= PROGRESS_EVERY_S:
                told_s = time.monotonic()
                on_progress(collector.report(run))
        n_broken = pictures.n_broken
    name = os.path.basename(order.source.address)
    if analyser is None:
        raise BadInputError(f"No picture of {name} can be decoded.", hint="Does it play? Export it again.")
    done = replace(collector.report(run), state="done")
    if not n_broken:
        return done
    message = f"{n_broken} parts of {name} cannot be decoded; what happened in them was not seen."
    return replace(done, message=message, hint="Export it again, without errors.")


def _refuse_other_shape(order: DryRunOrder, picture: Prepared) -> None:
    now = (picture.letterbox.frame_w, picture.letterbox.frame_h)
    for part in order.scene.private_parts:
        drawn = order.shapes.get(print_of_part(part))
        if drawn is not None and not is_same_shape(now, drawn):
            sentence = _OTHER_SHAPE.format(now="{}x{}".format(*now), drawn="{}x{}".format(*drawn))
            raise BadInputError(sentence, hint=_OTHER_SHAPE_HINT)


def _boxes_of(picture: Prepared, engine: Engine, scene: Scene, *, turn: int) -> FloatArray:
    """Return what the detector finds in the whole and in the detail of a picture, as a live camera has it."""
    boxes = engine.infer(picture.rgb[None])[0]
    detail = None if picture.frame is None else detail_of(picture.frame, scene, engine.info.input_wh, turn=turn)
    if detail is None:
        return boxes
    return merge_detail(boxes, engine.infer(detail.rgb[None])[0], detail, picture.letterbox)


def _analyser_of(order: DryRunOrder, engine: Engine, picture: Prepared) -> CameraAnalyser:
    return CameraAnalyser(
        order.camera_id or "dry-run",
        order.scene,
        order.labels,
        order.tracker,
        aspect=picture.aspect,
        engine_labels=engine.info.labels,
    )


def _cut_short(run: DryRun) -> DryRun:
    return replace(
        run,
        state="done",
        message=f"Only the first {run.footage_s / 60:.0f} minutes were looked at.",
        hint="Cut the footage to the part that matters.",
    )


def _fell_silent(run: DryRun) -> DryRun:
    return replace(
        run,
        state="done",
        message=f"After {run.footage_s:.0f} s no picture came for {SILENT_S:.0f} s: no more was looked at.",
        hint=_SEE_CAMERA,
    )


def _length_s(source: SourceSpec) -> float | None:
    """Return how long a file is; None for everything else."""
    if not os.path.isfile(source.address):
        return None
    import av

    try:
        with av.open(source.address) as container:
            return None if container.duration is None else container.duration / 1e6
    except (av.FFmpegError, OSError):
        return None


def run_dry_run_process(pipe: Connection, order: DryRunOrder) -> None:
    """Entry point of the node's child process: progress and result go through the pipe; ends when that is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(15)
    is_cancelled = threading.Event()

    def wait_for_end() -> None:
        with contextlib.suppress(EOFError, OSError):
            pipe.recv()
        is_cancelled.set()

    def tell(run: DryRun) -> None:
        try:
            pipe.send(run)
        except (BrokenPipeError, OSError):
            is_cancelled.set()

    threading.Thread(target=wait_for_end, name="node", daemon=True).start()
    tell(dry_run(order, on_progress=tell, must_stop=is_cancelled.is_set))
    # A reader that hangs in a driver must not keep the process alive.
    os._exit(0)


def run_dry_run(
    source: SourceSpec,
    scene: Scene,
    out: TextIO,
    *,
    models_folder: Path,
    model: str = "",
    labels: Sequence[str] = DEFAULT_LABELS,
    detect_fps: float = 8.0,
    rehearse: Callable[[DryRun], DryRun] | None = None,
    as_json: bool = False,
) -> int:
    """Run the rules over footage and write what they would have raised; what the command line calls.

    Returns:
        Exit code: 0 done, 2 refused or broken off.
    """
    order = DryRunOrder(
        run_id="dry-run",
        source=source,
        scene=scene,
        models=models_folder,
        model=model,
        labels=tuple(labels),
        detect_fps=detect_fps,
        n_threads=os.cpu_count() or 1,
        rehearse=rehearse,
    )
    run = dry_run(order)
    if as_json:
        out.write(to_json(to_builtins(run) | {"source": public_address(source.address)}) + "\n")
    else:
        out.writelines(line + "\n" for line in describe(run))
    out.flush()
    return 0 if run.state == "done" else 2


def describe(run: DryRun) -> list[str]:
    """Say in lines what was raised, and how much by each rule, and what an operator would have heard of it."""
    lines = [_describe_one(one) for one in run.raised]
    if not run.raised:
        lines.append("No rule would have raised anything.")
    lines.append("")
    for call in run.calls or ():
        of = f"{len(call.raised)} raised" if len(call.raised) > 1 else ""
        lines.append(f"{call.at_s:8.1f} s  calls   {call.title}, {call.priority}  {of}".rstrip())
    lines += [f"{kind:16} {n:5} raised {run.n_sure.get(kind, 0):5} sure" for kind, n in sorted(run.n_raised.items())]
    lines += [f"{kind:16} {n:5} counted" for kind, n in sorted(run.n_counted.items())]
    lines.append(f"{run.footage_s:.1f} s of footage, {run.state}. {run.message} {run.hint}".rstrip())
    return lines


def _describe_one(one: Raised) -> str:
    lasted = "      " if one.ended_s is None else f"{one.ended_s - one.at_s:5.1f}s"
    is_sure = "sure" if one.sure_s is not None else "-"
    figures = " ".join(f"{name}={value:g}" for name, value in one.values.items())
    where = one.place or one.rule_key
    return f"{one.at_s:8.1f} s  {lasted}  {one.kind.value:16} {where:20} {one.confidence:4.0%}  {is_sure:5} {figures}"
