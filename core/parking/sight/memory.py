"""What is learnt of each view, kept as one file for each."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import zipfile
from pathlib import Path

import numpy as np

from core.parking.sight.classifier import EmptyLook
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
            ids = [str(bay) for bay in kept["bay_ids"]]
            means, spreads, counts = kept["means"], kept["spreads"], kept["counts"]
            empties = {
                bay: EmptyLook(mean=means[i].copy(), spread=spreads[i].copy(), n=int(counts[i]))
                for i, bay in enumerate(ids)
            }
            aspect = float(kept["aspect"])
            return Memory(
                digest=str(kept["digest"]),
                aspect=aspect if aspect > 0 else None,
                empties=empties,
                references=list(kept["references"]),
            )
    except FileNotFoundError:
        return Memory()
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("what was learnt of a view cannot be read and is learnt anew: %s", error)
        return Memory()


def write_memory(file: Path, memory: Memory) -> None:
    """Keep what is known of a view; a full disk costs the memory, not the sight."""
    ids = [bay for bay, empty in memory.empties.items() if empty.n]
    cells = (0, 3, 12, 12)
    temporary = file.with_suffix(".part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as out:
            np.savez_compressed(
                out,
                digest=np.array(memory.digest),
                aspect=np.array(memory.aspect or 0.0),
                bay_ids=np.array(ids, dtype=np.str_),
                means=np.stack([memory.empties[bay].mean for bay in ids]) if ids else np.zeros(cells, np.float32),
                spreads=np.stack([memory.empties[bay].spread for bay in ids]) if ids else np.zeros(cells, np.float32),
                counts=np.array([memory.empties[bay].n for bay in ids], np.int64),
                references=np.stack(memory.references) if memory.references else np.zeros((0, 1, 1), np.uint8),
            )
        os.replace(temporary, file)
    except OSError as error:
        log.warning("what was learnt of a view is not kept: %s", error)
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
