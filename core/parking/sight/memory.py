"""What is learnt of each view, kept as one file for each."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import zipfile
from pathlib import Path

import numpy as np

from core.parking.sight.classifier import CELLS, EmptyLook
from core.parking.sight.eye import Memory

log = logging.getLogger(__name__)


def memory_file(folder: Path, lot_id: str, camera_id: str) -> Path:
    """Return where a view's memory lies."""
    name = hashlib.sha256(f"{lot_id}\n{camera_id}".encode()).hexdigest()[:24]
    return folder / f"{name}.npz"


def read_memory(file: Path) -> Memory:
    """Read what is known of a view; an empty memory where there is none, or the file is broken."""
    try:
        with np.load(file, allow_pickle=False) as kept:
            ids, lane_ids = ([str(one) for one in kept[name]] for name in ("bay_ids", "lane_ids"))
            means, spreads, counts = kept["means"], kept["spreads"], kept["counts"]
            looks = [
                EmptyLook(mean=means[i].copy(), spread=spreads[i].copy(), n=int(counts[i])) for i in range(len(counts))
            ]
            aspect = float(kept["aspect"])
            return Memory(
                digest=str(kept["digest"]),
                aspect=aspect if aspect > 0 else None,
                empties=dict(zip(ids, looks[: len(ids)], strict=True)),
                lane_empties=dict(zip(lane_ids, looks[len(ids) :], strict=True)),
                references=list(kept["references"]),
            )
    except FileNotFoundError:
        return Memory()
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("what was learnt of a view cannot be read and is learnt anew: %s", error)
        return Memory()


def write_memory(file: Path, memory: Memory) -> None:
    """Keep what is known of a view; a full disk costs the memory, not the sight."""
    learnt, lanes = (
        {key: empty for key, empty in empties.items() if empty.n} for empties in (memory.empties, memory.lane_empties)
    )
    looks = [*learnt.values(), *lanes.values()]
    cells = (0, 3, CELLS, CELLS)
    temporary = file.with_suffix(".part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as out:
            np.savez_compressed(
                out,
                digest=np.array(memory.digest),
                aspect=np.array(memory.aspect or 0.0),
                bay_ids=np.array(list(learnt), dtype=np.str_),
                lane_ids=np.array(list(lanes), dtype=np.str_),
                means=np.stack([empty.mean for empty in looks]) if looks else np.zeros(cells, np.float32),
                spreads=np.stack([empty.spread for empty in looks]) if looks else np.zeros(cells, np.float32),
                counts=np.array([empty.n for empty in looks], np.int64),
                references=np.stack(memory.references) if memory.references else np.zeros((0, 1, 1), np.uint8),
            )
        os.replace(temporary, file)
    except OSError as error:
        log.warning("what was learnt of a view is not kept: %s", error)
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
