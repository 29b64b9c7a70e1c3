from tests.fixtures.room import room  # noqa: F401
