"""Runs the migrations on the connection that `core.store.migrate.upgrade` hands over."""

from __future__ import annotations

from alembic import context

from core.store.tables import Base

connection = context.config.attributes["connection"]
# SQLite can roll back DDL as well, as long as the transaction was begun by hand (engine.py does).
context.configure(connection=connection, target_metadata=Base.metadata, transactional_ddl=True, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
