"""Public holidays of a country, by the `holidays` library."""

from __future__ import annotations

from collections.abc import Iterable

from core.kernel.errors import BadInputError


def holidays_of(country: str, region: str, years: Iterable[int]) -> dict[int, str]:
    """Return the public holidays of some years.

    Args:
        country: ISO 3166-1, two letters; empty knows of no holidays.
        region: ISO 3166-2 without the country; empty for the whole country.
        years: Which.

    Returns:
        Local date (ordinal) → name.

    Raises:
        BadInputError: There is no such country or region.
    """
    if not country:
        return {}
    import holidays

    try:
        found = holidays.country_holidays(country, subdiv=region or None, years=list(years))
    except NotImplementedError as error:
        raise BadInputError(
            f"There are no holidays of {country} {region}.".replace(" .", "."),
            hint="Write the country as two letters and the region as ISO 3166-2 says: DE and SN.",
        ) from error
    return {day.toordinal(): str(name) for day, name in found.items()}
