"""Dry runs in a process of their own: begun, followed, stopped."""

import asyncio
import threading
from dataclasses import replace
from functools import partial

import pytest

from core.incidents.rehearsal import rehearse
from core.incidents.rules.book import shipped_book
from core.kernel.errors import BadInputError, UnavailableError
from core.node.dry_runs import DryRuns
from core.vision.dry_run_model import DryRun
from tests.unit.vision.test_dry_run import ghost_order


async def end_of(runs: DryRuns, run_id: str) -> DryRun:
    async with asyncio.timeout(60.0):
        while runs.state(run_id).state == "running":
            await asyncio.sleep(0.02)
    return runs.state(run_id)


def test_a_dry_run_tells_its_result_and_makes_room_for_the_next(tmp_path):
    judge = partial(rehearse, book=shipped_book(), camera_name="Ring")

    async def both() -> list[DryRun]:
        runs = DryRuns()
        order = replace(ghost_order(tmp_path), rehearse=judge)
        results = []
        for number in range(2):
            run_id = runs.start(replace(order, run_id=f"run-{number}", camera_id="cam-1"))
            results.append(await end_of(runs, run_id))
            await runs.stop()
        return results

    results = asyncio.run(both())

    assert [(run.run_id, run.camera_id, run.state) for run in results] == [
        ("run-0", "cam-1", "done"),
        ("run-1", "cam-1", "done"),
    ]
    assert results[0].n_raised == {"wrong_way": 1}
    assert [(call.raised, call.at_s) for call in results[0].calls] == [((0,), results[0].raised[0].sure_s)]


def test_only_one_runs_at_a_time_and_it_can_be_stopped(tmp_path):
    async def run() -> DryRun:
        runs = DryRuns()
        order = ghost_order(tmp_path)
        run_id = runs.start(order)
        with pytest.raises(UnavailableError, match="Another dry run"):
            runs.start(replace(order, run_id="run-2"))
        runs.cancel(run_id)
        ended = await end_of(runs, run_id)
        await runs.stop()
        return ended

    assert asyncio.run(run()).state == "cancelled"


def test_the_next_one_can_be_stopped_although_the_process_of_the_last_one_ends_after_its_start(tmp_path):
    async def run() -> DryRun:
        runs = DryRuns()
        order = ghost_order(tmp_path)
        first = runs.start(replace(order, run_id="run-1"))
        (reader,) = [thread for thread in threading.enumerate() if thread.name == "dry-run-read"]
        await end_of(runs, first)
        run_id = runs.start(replace(order, run_id="run-2"))
        await asyncio.to_thread(reader.join, 30.0)
        await asyncio.sleep(0)
        runs.cancel(run_id)
        ended = await end_of(runs, run_id)
        await runs.stop()
        return ended

    assert asyncio.run(run()).state == "cancelled"


def test_a_process_that_dies_is_a_failure_with_a_sentence(tmp_path):
    async def run() -> DryRun:
        runs = DryRuns()
        run_id = runs.start(ghost_order(tmp_path))
        await runs.stop()
        return await end_of(runs, run_id)

    ended = asyncio.run(run())

    assert ended.state == "failed"
    assert "ended without a result" in ended.message


def test_what_is_forgotten_is_a_sentence():
    with pytest.raises(BadInputError, match="no such dry run"):
        DryRuns().state("gone")
