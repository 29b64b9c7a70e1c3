"""Vehicles over lines by the minute, written whole: twice is as good as once."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.store.tables import LineCountRow


def upsert_whole(
    session: Session,
    *,
    camera_id: str,
    line_key: str,
    direction: str,
    label: str,
    minute: datetime,
    n_vehicles: int,
) -> None:
    """Write all vehicles of one minute of one line; where the database knows of more, that stays."""
    table = cast(Table, LineCountRow.__table__)
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).values(
        camera_id=camera_id,
        line_key=line_key,
        direction=direction,
        label=label,
        minute=minute,
        n_vehicles=n_vehicles,
    )
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["camera_id", "line_key", "direction", "label", "minute"],
            set_={"n_vehicles": statement.excluded.n_vehicles},
            where=table.c.n_vehicles < statement.excluded.n_vehicles,
        )
    )
