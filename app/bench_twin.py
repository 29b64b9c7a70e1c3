"""`main.py bench twin`: drawing 500, 2,000 and 10,000 bays, beside plain boxes for cars; memory; what stays behind."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import psutil
from PySide6.QtWidgets import QApplication

from core.kernel.bench import BenchResult, Figure, describe_machine, wait_until
from core.parking.plans import open_lot
from widgets.twin.board import Board
from widgets.twin.model import BaysLook, Detail, Options, Shown, plain_look
from widgets.twin.palette import NIGHT_THEME, palette_for
from widgets.twin.pose import Pose, framing, orbit
from widgets.twin.scene import TwinScene, build_scene

SIZES = (500, 2_000, 10_000)
WIDTH_PX, HEIGHT_PX = 1280, 720
N_FRAMES = 40
N_UPDATES = 10_000
N_OPENINGS = 50
RATE_HZ, CHANGES = 10.0, 200
WATCH_S = 10.0
"""Ten times a second, a tenth of 2,000 bays: 2,000 changes a second, ten times as many as a city has."""

BOXES = "one box for each bay in one mesh, recoloured and drawn, in the same run"


def bench_twin() -> BenchResult:
    """Measure the drawing itself, then the whole way to the window."""
    figures: dict[str, Figure] = {}
    device = ""
    for n in SIZES:
        device = _measure_drawing(n, figures)
    _measure_boxes(2_000, figures)
    _measure_memory(figures)
    _measure_openings(figures)
    _measure_window(figures)
    return BenchResult(bench="twin", figures=figures, machine=describe_machine() | {"opengl": device})


def _options() -> Options:
    return Options(palette=palette_for(NIGHT_THEME), is_animated=False)


def _look(scene: TwinScene, chance: np.random.Generator) -> BaysLook:
    shown = chance.choice(
        np.array([Shown.UNKNOWN, Shown.FREE, Shown.OCCUPIED], dtype=np.uint8), scene.n_bays, p=[0.05, 0.3, 0.65]
    )
    return replace(plain_look(shown), is_stale=chance.random(scene.n_bays) < 0.03)


def _scene(n_bays: int) -> tuple[TwinScene, Pose]:
    per_row = max(20, round((n_bays * 1.6) ** 0.5))
    scene = build_scene([open_lot("bench", "Bench", n_bays=n_bays, bays_per_row=per_row)])
    return scene, framing(scene.low, scene.high, WIDTH_PX / HEIGHT_PX, Pose(azimuth_deg=20.0, elevation_deg=42.0))


def _median_ms(step: Callable[[], object], n: int = N_FRAMES) -> float:
    """Return the median time of a step; the first one is not counted."""
    step()
    times = []
    for _ in range(n):
        begin_s = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin_s)
    return statistics.median(times) * 1000


def _measure_drawing(n_bays: int, figures: dict[str, Figure]) -> str:
    from widgets.twin.renderer import Renderer

    chance = np.random.default_rng(1)
    begin_s = time.perf_counter()
    scene, pose = _scene(n_bays)
    built_s = time.perf_counter() - begin_s
    renderer = Renderer(_options())
    renderer.show_scene(scene)
    looks = [_look(scene, chance) for _ in range(4)]
    at = iter(range(1_000_000))

    def update() -> None:
        renderer.show_bays(looks[next(at) % 4], at_once=True)

    def frame() -> None:
        update()
        renderer.draw(pose, WIDTH_PX, HEIGHT_PX, Detail.QUICK)

    update()
    plain = {
        "build_ms": built_s * 1000,
        "update_ms": _median_ms(update),
        "update_and_draw_ms": _median_ms(frame),
        "draw_ms": _median_ms(lambda: renderer.draw(pose, WIDTH_PX, HEIGHT_PX, Detail.QUICK)),
        "draw_fine_ms": _median_ms(lambda: renderer.draw(pose, WIDTH_PX, HEIGHT_PX, Detail.FINE), 5),
    }
    for name, value in plain.items():
        figures[f"{name}_{n_bays}"] = Figure(value=value, unit="ms", reference="none")
    figures[f"fps_{n_bays}"] = Figure(
        value=1000 / plain["update_and_draw_ms"], unit="frames/s", reference="15 for 2,000 bays on software OpenGL"
    )
    device = renderer.device
    renderer.close()
    return device


def _measure_boxes(n_bays: int, figures: dict[str, Figure]) -> None:
    """Draw the same lot as the reference does: a box for each bay, one mesh, all of it recoloured for each picture."""
    import pyvista as pv
    from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkRenderer, vtkRenderWindow

    scene, pose = _scene(n_bays)
    boxes = [pv.Cube(center=(x, y, 0.7), x_length=1.8, y_length=4.3, z_length=1.4) for x, y, _ in scene.centres]
    mesh: Any = pv.merge(boxes)
    mesh = mesh.extract_surface(algorithm=None) if not isinstance(mesh, pv.PolyData) else mesh
    mesh.cell_data["color"] = np.zeros((mesh.n_cells, 3), dtype=np.uint8)
    mapper = vtkPolyDataMapper()
    mapper.SetInputData(mesh)
    mapper.SetScalarModeToUseCellFieldData()
    mapper.SelectColorArray("color")
    mapper.SetColorModeToDirectScalars()
    actor, renderer, window = vtkActor(), vtkRenderer(), vtkRenderWindow()
    actor.SetMapper(mapper)
    renderer.AddActor(actor)
    window.SetOffScreenRendering(True)
    window.SetMultiSamples(0)
    window.SetSize(WIDTH_PX, HEIGHT_PX)
    window.AddRenderer(renderer)
    camera = renderer.GetActiveCamera()
    camera.SetPosition(*pose.eye)
    camera.SetFocalPoint(*pose.focus)
    camera.SetViewUp(*pose.up)
    renderer.ResetCameraClippingRange()
    chance = np.random.default_rng(1)

    def frame() -> None:
        colors = chance.integers(0, 255, (mesh.n_cells, 3), dtype=np.uint8)
        mesh.cell_data["color"] = colors
        mesh.Modified()
        window.Render()

    ms = _median_ms(frame)
    window.Finalize()
    ours = figures[f"update_and_draw_ms_{n_bays}"].value
    figures[f"boxes_ms_{n_bays}"] = Figure(value=ms, unit="ms", reference="none")
    figures[f"against_boxes_{n_bays}"] = Figure(value=ours / ms, unit="times", reference=BOXES)


def _measure_memory(figures: dict[str, Figure]) -> None:
    from widgets.twin.renderer import Renderer

    scene, pose = _scene(2_000)
    renderer = Renderer(_options())
    renderer.show_scene(scene)
    chance = np.random.default_rng(2)
    looks = [_look(scene, chance) for _ in range(8)]
    process = psutil.Process()
    before = 0.0
    for i in range(N_UPDATES):
        renderer.show_bays(looks[i % 8], at_once=True)
        if i % 10 == 0:
            renderer.draw(pose, 320, 180, Detail.QUICK)
        if i == N_UPDATES // 10:
            gc.collect()
            before = process.memory_info().rss / 2**20
    gc.collect()
    grown = process.memory_info().rss / 2**20 - before
    renderer.close()
    figures["memory_growth_mib"] = Figure(
        value=grown, unit="MiB", reference=f"after {N_UPDATES // 10} of {N_UPDATES} updates of 2,000 bays"
    )


def vtk_objects() -> int:
    """Return how many objects of VTK Python still knows."""
    from vtkmodules.vtkCommonCore import vtkObjectBase

    gc.collect()
    return sum(isinstance(one, vtkObjectBase) for one in gc.get_objects())


def _measure_openings(figures: dict[str, Figure]) -> None:
    from widgets.twin.renderer import Renderer

    scene, pose = _scene(500)
    chance = np.random.default_rng(3)

    def open_and_close() -> None:
        renderer = Renderer(_options())
        renderer.show_scene(scene)
        renderer.show_bays(_look(scene, chance), at_once=True)
        renderer.draw(pose, 640, 360, Detail.QUICK)
        renderer.close()

    open_and_close()
    before = vtk_objects()
    rss = psutil.Process().memory_info().rss
    for _ in range(N_OPENINGS):
        open_and_close()
    figures["left_objects"] = Figure(
        value=vtk_objects() - before, unit="VTK objects", reference=f"{N_OPENINGS} times opened and closed"
    )
    figures["left_mib"] = Figure(
        value=(psutil.Process().memory_info().rss - rss) / 2**20,
        unit="MiB",
        reference=f"{N_OPENINGS} times opened and closed",
    )


def _measure_window(figures: dict[str, Figure]) -> None:
    """Count the pictures that reach the window while the eye goes round and bays change ten times a second."""
    import qasync

    from widgets.base.theme import DARK, apply_theme

    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    apply_theme(app, DARK, base_px=16)
    loop = qasync.QEventLoop(app)
    asyncio.set_event_loop(loop)
    with loop:
        loop.run_until_complete(_watch_window(figures))


async def _watch_window(figures: dict[str, Figure]) -> None:
    from app.twin_process import TwinProcess
    from widgets.twin.view import TwinView

    view = TwinView(replace(_options(), is_animated=True))
    process = TwinProcess(view.options)
    view.ordered.connect(process.send)
    process.picture.connect(view.show_picture)
    process.built.connect(lambda built: view.show_scene(built.scene, built.number))
    view.resize(WIDTH_PX, HEIGHT_PX)
    view.show()
    begin_s = time.perf_counter()
    process.start()
    view.order_lots((open_lot("bench", "Bench", n_bays=2_000, bays_per_row=50),))
    try:
        await wait_until(lambda: view.scene is not None and view.has_picture, "the first picture")
        figures["first_picture_s"] = Figure(value=time.perf_counter() - begin_s, unit="s", reference="none")
        assert view.scene is not None
        board = Board(view.scene)
        chance = np.random.default_rng(4)
        board.shown[:] = _look(view.scene, chance).shown
        lags_s: list[float] = []
        drawer, ours = psutil.Process(process.pid), psutil.Process()
        cpu_before_s = _cpu_s(drawer), _cpu_s(ours)
        n_before, begin_s, next_s = view.n_pictures, time.perf_counter(), 0.0
        while (elapsed_s := time.perf_counter() - begin_s) < WATCH_S:
            if elapsed_s >= next_s:
                next_s += 1 / RATE_HZ
                some = chance.integers(0, view.scene.n_bays, CHANGES)
                board.shown[some] = chance.choice(np.array([Shown.FREE, Shown.OCCUPIED], dtype=np.uint8), CHANGES)
                view.show_look(board.look())
            view.fly_to_at_once(orbit(view.pose, 0.2, 0.0))
            slept_s = time.perf_counter()
            await asyncio.sleep(0.01)
            lags_s.append(time.perf_counter() - slept_s - 0.01)
        n_pictures = view.n_pictures - n_before
        fps = n_pictures / (time.perf_counter() - begin_s)
        cpu_ms = [
            (_cpu_s(one) - before) * 1000 / n_pictures for one, before in zip((drawer, ours), cpu_before_s, strict=True)
        ]
        memory = drawer.memory_info().rss / 2**20
    finally:
        process.close()
        view.close()
    changing = f"2,000 bays, {CHANGES} changes at {RATE_HZ:g} Hz, cars moving, {WIDTH_PX}x{HEIGHT_PX}, in the window"
    figures["window_fps"] = Figure(value=fps, unit="frames/s", reference=f"15; {changing}")
    for name, value in zip(("drawing", "window"), cpu_ms, strict=True):
        figures[f"{name}_cpu_ms"] = Figure(
            value=value, unit="ms", reference=f"processor time for each picture, in the {name} process"
        )
    figures["window_lag_p95_ms"] = Figure(
        value=float(np.percentile(lags_s, 95)) * 1000, unit="ms", reference="how late the window's loop was meanwhile"
    )
    figures["process_mib"] = Figure(value=memory, unit="MiB", reference="the drawing process")


def _cpu_s(process: psutil.Process) -> float:
    """Return the processor time that a process has taken."""
    times = process.cpu_times()
    return float(times.user + times.system)
