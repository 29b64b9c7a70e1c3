from tests.fixtures.postgres import postgres_server  # noqa: F401
