"""An answer of the review notes the rule that it was about, and how sure that was.

Revision ID: 0035
Revises: 0034
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the rule from the incident, unless that got its name from an alarm that came after the answer."""
    with op.batch_alter_table("review") as batch:
        batch.add_column(sa.Column("kind", sa.String(length=64), nullable=False, server_default=""))
        batch.add_column(sa.Column("confidence", sa.Double(), nullable=False, server_default="1"))
    op.execute(
        "UPDATE review SET "
        "kind = (SELECT kind FROM incident WHERE incident.incident_id = review.incident_id), "
        "confidence = (SELECT confidence FROM incident WHERE incident.incident_id = review.incident_id)"
    )
    op.execute(
        "UPDATE review SET kind = '' "
        "WHERE EXISTS (SELECT 1 FROM alarm WHERE alarm.incident_id = review.incident_id "
        "AND alarm.kind <> review.kind AND alarm.raised_at <= review.reviewed_at) "
        "AND EXISTS (SELECT 1 FROM alarm WHERE alarm.incident_id = review.incident_id "
        "AND alarm.kind = review.kind AND alarm.raised_at > review.reviewed_at) "
        "AND NOT EXISTS (SELECT 1 FROM alarm WHERE alarm.incident_id = review.incident_id "
        "AND alarm.kind = review.kind AND alarm.raised_at <= review.reviewed_at)"
    )
    with op.batch_alter_table("review") as batch:
        batch.drop_constraint("pk_review", type_="primary")
        batch.create_primary_key("pk_review", ["incident_id", "kind"])


def downgrade() -> None:
    """Keep the last answer of each incident."""
    op.execute(
        "DELETE FROM review WHERE EXISTS (SELECT 1 FROM review AS later "
        "WHERE later.incident_id = review.incident_id "
        "AND (later.reviewed_at, later.kind) > (review.reviewed_at, review.kind))"
    )
    with op.batch_alter_table("review") as batch:
        batch.drop_constraint("pk_review", type_="primary")
        batch.create_primary_key("pk_review", ["incident_id"])
        batch.drop_column("confidence")
        batch.drop_column("kind")
