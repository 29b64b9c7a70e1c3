from tests.fixtures.postgres import postgres_server, postgres_url  # noqa: F401
from tests.fixtures.room import room  # noqa: F401
