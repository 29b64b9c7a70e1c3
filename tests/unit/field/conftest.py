from tests.fixtures.how_to_kind import air  # noqa: F401
