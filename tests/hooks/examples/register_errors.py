"""Finds the telephone network's name of a country code, and has an error of its own for those that are none."""

from collections.abc import Sequence

from voicera import ApiError, Blueprint, Reply, Request, hookimpl, public, reply

blueprint = Blueprint("/country-codes")
COUNTRIES = {"1": "North America", "33": "France", "44": "United Kingdom", "49": "Germany"}


class NoSuchCountry(ApiError):
    """No country has this code."""

    code, status = "COUNTRY_001", 404


@hookimpl
def register_errors() -> Sequence[type[ApiError]]:
    return [NoSuchCountry]


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [blueprint]


@blueprint.get("/{country_code}", returns=str, raises=(NoSuchCountry,))
@public
async def show_country(request: Request, country_code: str) -> Reply:
    """Name the country of a code."""
    if country_code not in COUNTRIES:
        raise NoSuchCountry(f"there are {', '.join(COUNTRIES)}")
    return reply(COUNTRIES[country_code])
