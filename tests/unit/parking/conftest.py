from tests.fixtures.databases import (  # noqa: F401
    any_store,
    both_stores,
    migrated_postgres,
    migrated_sqlite,
    postgres_server,
    postgres_store,
    sqlite_store,
)
