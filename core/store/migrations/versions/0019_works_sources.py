"""Planned works concern sources of several kinds, and say who ended them.

Revision ID: 0019
Revises: 0018
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Write the kind beside each id; of works that are over nobody knows any more who ended them."""
    op.add_column("planned_works", sa.Column("sources", _JSON, server_default="[]", nullable=False))
    op.add_column("planned_works", sa.Column("ended_by", sa.Text(), server_default="", nullable=False))
    works = sa.table(
        "planned_works",
        sa.column("works_id", sa.String()),
        sa.column("source_kind", sa.String()),
        sa.column("source_ids", _JSON),
        sa.column("sources", _JSON),
    )
    connection = op.get_bind()
    for works_id, kind, ids in connection.execute(
        sa.select(works.c.works_id, works.c.source_kind, works.c.source_ids)
    ).all():
        sources = [[kind, source_id] for source_id in ids]
        connection.execute(works.update().where(works.c.works_id == works_id).values(sources=sources))
    op.drop_column("planned_works", "source_kind")
    op.drop_column("planned_works", "source_ids")
