"""Settings: from command-line flags, the environment and `.env`, in that order; typed, each with its help.

The kernel's settings are the fields of `Settings`. A plugin brings its own as a subclass of
`SettingsSection`, and reads them back with `settings.of(ItsSection)`. Every environment variable
starts with `VOICERA_`; one that nobody declared is refused, so that a typing error is not a silent default.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from dotenv import dotenv_values
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from core.limits import Limit

PREFIX = "VOICERA_"
DOTENV = ".env"
EMBEDDABLE = {"database": "database_url", "cache": "redis_url", "storage": "s3_endpoint_url"}


class ConfigurationError(Exception):
    """The settings do not allow a start; the message says which and what to do. The process exits with 78."""

    exit_code = 78  # EX_CONFIG of sysexits.h


def _words(value: object) -> object:
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]


class SettingsSection(BaseModel):
    """The base of every group of settings; a plugin's is a subclass with its own fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


Section = TypeVar("Section", bound=SettingsSection)


class Settings(SettingsSection):
    """The kernel's settings, and through `of` those of the plugins."""

    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on; 0 takes a free one.")
    workers: int = Field(2, ge=1, le=256, description="How many worker processes serve requests.")
    data_dir: Path = Field(
        Path(".voicera"), description="Where the embedded servers, their secrets and the lock are kept."
    )
    env: Literal["development", "production"] = Field(
        "development", description="In production what is missing is refused; nothing is embedded or made up."
    )

    database_url: SecretStr | None = Field(None, description="PostgreSQL 18 URL; without one it is embedded.")
    redis_url: SecretStr | None = Field(None, description="Valkey or Redis URL; without one it is embedded.")
    s3_endpoint_url: str | None = Field(None, description="S3 endpoint; without one it is embedded.")
    s3_public_url: str | None = Field(
        None, description="The S3 address that clients reach, for presigned URLs; the endpoint if not given."
    )
    s3_bucket: str = Field("recordings", description="The bucket that holds recordings.")
    s3_access_key_id: SecretStr | None = Field(None, description="S3 access key.")
    s3_secret_access_key: SecretStr | None = Field(None, description="S3 secret key.")
    s3_region: str = Field("us-east-1", description="S3 region.")
    s3_checksums: Literal["when_required", "when_supported"] = Field(
        "when_required", description="When to send S3 checksums; some S3 servers refuse those that are not required."
    )
    database_pool: int = Field(10, ge=2, le=500, description="Database connections a worker holds at most.")
    database_statement_cache: int = Field(
        512, ge=0, description="Prepared statements kept a connection; 0 behind PgBouncer in transaction mode."
    )

    rate_limit_general: Limit = Field(
        Limit(100, 60), description="Requests a user (or, without a token, a client address) may make."
    )
    trusted_proxies: Words = Field(
        (), description="Addresses or networks, comma-separated, whose X-Forwarded-For is believed."
    )
    cors_origins: Words = Field(
        (), description="Origins of pages that may call the API, comma-separated; none by default."
    )
    request_deadline: float = Field(
        10.0, gt=0, description="Seconds after which an ordinary request is given up (503)."
    )
    slow_client_grace: float = Field(
        10.0, gt=0, description="Seconds a client may take for a request head, or make no headway with a body."
    )
    after_seconds: float = Field(
        10.0, gt=0, description="Seconds that a plugin's listener of an after-event may take, then it is given up."
    )
    shutdown_grace: float = Field(
        15.0, gt=0, description="Seconds that running requests and background work get to end."
    )
    max_body: int = Field(1 << 20, ge=1024, description="Largest ordinary request body, in bytes.")

    plugins_disabled: Words = Field((), description="Names of plugins to leave out, comma-separated.")
    strict_plugins: bool = Field(False, description="An installed plugin that fails stops the start.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least level that is logged."
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="JSON lines, or text for people; auto is text on a terminal and JSON elsewhere."
    )

    postgres_bin: Path | None = Field(None, description="Folder with the PostgreSQL programs, in place of the wheel's.")
    valkey_bin: Path | None = Field(None, description="The valkey-server program, in place of the wheel's.")
    seaweed_bin: Path | None = Field(None, description="The weed program, in place of the wheel's.")

    _sections: dict[type[SettingsSection], SettingsSection] = PrivateAttr(default_factory=dict)
    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            try:
                ipaddress.ip_network(name, strict=False)
            except ValueError:  # its text carries the value
                raise ValueError("give addresses or networks such as 10.0.0.0/8, comma-separated") from None
        return names

    @model_validator(mode="after")
    def _keys_with_endpoint(self) -> Self:
        if self.s3_endpoint_url and not (self.s3_access_key_id and self.s3_secret_access_key):
            raise ValueError("VOICERA_S3_ENDPOINT_URL needs VOICERA_S3_ACCESS_KEY_ID and VOICERA_S3_SECRET_ACCESS_KEY")
        return self

    def of(self, section: type[Section]) -> Section:
        """Return a plugin's group of settings, as loaded at the start."""
        found = self._sections[section]
        assert isinstance(found, section)
        return found

    def source(self, name: str) -> str:
        """Say where a setting's value comes from: flag, environment, .env, embedded or default."""
        return self._sources.get(name, "default")

    def sections(self) -> list[SettingsSection]:
        """All groups, the kernel's first."""
        return [self, *self._sections.values()]

    @property
    def production(self) -> bool:
        """True where nothing may be embedded or generated silently."""
        return self.env == "production"


def load_settings(
    sections: Iterable[type[SettingsSection]] = (),
    *,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    dotenv: Path | None = None,
    check_unknown: bool = True,
    known: Iterable[str] = (),
) -> Settings:
    """Read all settings once.

    `flags` are the values given on the command line (None means not given); `environ` defaults to the
    process's, `dotenv` to `.env` in the working directory. `check_unknown` is False only where the plugins'
    sections are not known yet; `known` are names that nobody reads, and that are not refused.
    Raises ConfigurationError, which names every wrong or unknown variable and never a value.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    layers = _layers(given, environ, dotenv)
    classes: list[type[SettingsSection]] = [Settings, *sections]
    wrong = _unknown(classes, layers, known) if check_unknown else []
    loaded = [_build(cls, layers, wrong) for cls in classes]
    if wrong:
        raise ConfigurationError("; ".join(wrong))
    settings = loaded[0]
    assert isinstance(settings, Settings)
    settings._sections.update({type(section): section for section in loaded[1:] if section is not None})
    for cls in classes:
        for name in cls.model_fields:
            settings._sources[name] = next((label for label, values in layers if name in values), "default")
    return settings


def with_values(settings: Settings, values: Mapping[str, Any], source: str) -> Settings:
    """Return a copy with some kernel settings replaced, and remember where they came from."""
    parsed = Settings.model_construct(**{**settings.__dict__, **_parsed(values)})
    parsed._sections = settings._sections
    parsed._sources = {**settings._sources, **dict.fromkeys(values, source)}
    return parsed


def as_environment(settings: Settings) -> dict[str, str]:
    """Every setting that is not a default, as the environment that recreates it in another process."""
    result: dict[str, str] = {}
    for section in settings.sections():
        for name in type(section).model_fields:
            value = getattr(section, name)
            if value is not None and settings.source(name) != "default":
                result[PREFIX + name.upper()] = plain(value)
    return result


def plain(value: object) -> str:
    """A setting's value as text, with secrets in the clear: for child processes and `voicera env` only."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


Layers = list[tuple[str, dict[str, Any]]]


def _layers(flags: dict[str, Any], environ: Mapping[str, str] | None, dotenv: Path | None) -> Layers:
    environment = os.environ if environ is None else environ
    file = dotenv_values(dotenv or Path(DOTENV))
    return [("flag", flags), ("environment", _ours(environment)), (".env", _ours(file))]


def _ours(values: Mapping[str, str | None]) -> dict[str, Any]:
    return {name[len(PREFIX) :].lower(): value for name, value in values.items() if name.startswith(PREFIX) and value}


def _unknown(classes: list[type[SettingsSection]], layers: Layers, known: Iterable[str]) -> list[str]:
    all_known = {*known, *(name for cls in classes for name in cls.model_fields)}
    unknown = sorted({name for _, values in layers for name in values if name not in all_known})
    names = ", ".join(PREFIX + name.upper() for name in unknown)
    return [f"unknown setting: {names} (`voicera settings` lists those there are)"] if unknown else []


def _build(cls: type[Section], layers: Layers, wrong: list[str]) -> Section | None:
    """Make a section; None where it cannot be, with the reasons added to `wrong`."""
    values: dict[str, Any] = {}
    for _, layer in reversed(layers):
        values.update({name: value for name, value in layer.items() if name in cls.model_fields})
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        wrong += _lines(error)
        return None


def _lines(error: ValidationError) -> list[str]:
    lines = []
    for item in error.errors(include_input=False, include_url=False):
        name = PREFIX + str(item["loc"][0]).upper() + ": " if item["loc"] else ""
        lines.append(name + item["msg"].removeprefix("Value error, "))
    return lines


def _parsed(values: Mapping[str, Any]) -> dict[str, Any]:
    secret = {"database_url", "redis_url", "s3_access_key_id", "s3_secret_access_key"}
    return {name: SecretStr(v) if name in secret and isinstance(v, str) else v for name, v in values.items()}
