"""Which way pictures come to this console."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject

from app.connection import NodeConnection
from app.frames import FramePump
from app.remote_frames import RemotePump
from widgets.video.model import Pictures, Tracks


def make_pump(
    connection: NodeConnection,
    *,
    on_frames: Callable[[Pictures], None],
    on_tracks: Callable[[str, Tracks], None],
    parent: QObject,
) -> FramePump | RemotePump:
    """Read shared memory where the node is on this machine, and ask for one JPEG after the other where it is not."""
    if connection.is_remote:
        return RemotePump(connection.call, on_frames=on_frames, on_tracks=on_tracks, parent=parent)
    return FramePump(on_frames=on_frames, on_tracks=on_tracks, parent=parent)
