"""Settings: where values come from, what is refused and how that is said, and what child processes are given."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SecretStr

from core.limits import BYTES, MOST, SECONDS, Limit
from core.settings import ConfigurationError, Settings, SettingsSection, as_environment, load_settings

ROOT = Path(__file__).parents[2]
NOWHERE = Path("/nonexistent/.env")
CANARY = "canary-7f3a"


class Extra(SettingsSection):
    """A plugin's settings."""

    colour: str = Field("red", description="A colour.")
    depth: int = Field(1, ge=0, description="A number.")
    key: SecretStr | None = Field(None, description="A secret.")


def load(environ: dict[str, str] | None = None, *sections: type[SettingsSection], **options: Any) -> Settings:
    return load_settings(sections, environ=environ or {}, dotenv=options.pop("dotenv", NOWHERE), **options)


def refusal(environ: dict[str, str], *sections: type[SettingsSection], **options: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(environ, *sections, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("layers", "value", "source"),
    [
        (("flag", "environment", ".env"), 1, "flag"),
        (("environment", ".env"), 2, "environment"),
        ((".env",), 3, ".env"),
        ((), 8000, "default"),
        (("flag", ".env"), 1, "flag"),
    ],
)
def test_a_flag_beats_the_environment_that_beats_dotenv_that_beats_the_default(
    tmp_path: Path, layers: tuple[str, ...], value: int, source: str
) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("VOICERA_PORT=3\n" if ".env" in layers else "# nothing\n")
    settings = load(
        {"VOICERA_PORT": "2"} if "environment" in layers else {},
        flags={"port": 1 if "flag" in layers else None},
        dotenv=dotenv,
    )
    assert (settings.port, settings.source("port")) == (value, source)


def test_dotenv_is_read_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("VOICERA_S3_REGION=eu-central-1\nOTHER=1\n")
    settings = load_settings(environ={})
    assert (settings.s3_region, settings.source("s3_region")) == ("eu-central-1", ".env")


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    assert load({"VOICERA_PORT": "", "VOICERA_DATABASE_URL": ""}).database_url is None


WRONG = {
    "VOICERA_WORKERS": f"abc-{CANARY}",
    "VOICERA_PORT": "65536",
    "VOICERA_ENV": CANARY,
    "VOICERA_RATE_LIMIT_GENERAL": CANARY,
    "VOICERA_TRUSTED_PROXIES": f"10.0.0.0/8, {CANARY}",
    "VOICERA_STRICT_PLUGINS": CANARY,
    "VOICERA_REQUEST_DEADLINE": "0",
    "VOICERA_LOG_LEVEL": CANARY,
    "VOICERA_DEPTH": CANARY,
    "VOICERA_TYPO": CANARY,
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_variable_is_named_in_one_short_line(name: str) -> None:
    said = refusal({name: WRONG[name]}, Extra)
    assert name in said
    assert CANARY not in said
    assert "\n" not in said
    assert len(said) < 150


def test_all_wrong_variables_are_named_at_once_and_no_value_is_shown() -> None:
    said = refusal(WRONG, Extra)
    assert [name for name in WRONG if name not in said] == []
    assert CANARY not in said


def test_a_variable_that_nobody_declared_is_refused_with_the_way_out() -> None:
    assert refusal({"VOICERA_COLOUR": "blue"}) == (
        "unknown setting: VOICERA_COLOUR (`voicera settings` lists those there are)"
    )
    assert load({"VOICERA_COLOUR": "blue"}, Extra).of(Extra).colour == "blue"
    assert load({"COLOUR": "blue", "VOICER_X": "1"}).port == 8000


@pytest.mark.parametrize("given_", ["10.0.0.1", "10.0.0.0/8,192.168.1.5/24", "::1, fd00::/8", ""])
def test_trusted_proxies_are_addresses_or_networks(given_: str) -> None:
    assert load({"VOICERA_TRUSTED_PROXIES": given_}).trusted_proxies == tuple(
        word.strip() for word in given_.split(",") if word
    )


@pytest.mark.parametrize("given_", ["10.0.0.0/33", "proxy.internal", "10.0.0.256", "10.0.0.0/8;10.1.0.0/16"])
def test_a_trusted_proxy_that_is_no_network_is_refused(given_: str) -> None:
    assert refusal({"VOICERA_TRUSTED_PROXIES": given_}) == (
        "VOICERA_TRUSTED_PROXIES: give addresses or networks such as 10.0.0.0/8, comma-separated"
    )


def test_an_s3_endpoint_without_keys_is_refused_with_the_names_of_the_keys() -> None:
    said = refusal({"VOICERA_S3_ENDPOINT_URL": "http://127.0.0.1:1"})
    assert said == "VOICERA_S3_ENDPOINT_URL needs VOICERA_S3_ACCESS_KEY_ID and VOICERA_S3_SECRET_ACCESS_KEY"


GIVEN = {
    "VOICERA_HOST": "::1",
    "VOICERA_PORT": "0",
    "VOICERA_DATABASE_URL": "postgresql://u:p%40ss'\"$x@h/db",
    "VOICERA_S3_ENDPOINT_URL": "http://127.0.0.1:1",
    "VOICERA_S3_ACCESS_KEY_ID": "id",
    "VOICERA_S3_SECRET_ACCESS_KEY": f"{CANARY} with spaces",
    "VOICERA_RATE_LIMIT_GENERAL": "1000GB/day",
    "VOICERA_TRUSTED_PROXIES": "10.0.0.0/8, ::1",
    "VOICERA_STRICT_PLUGINS": "yes",
    "VOICERA_REQUEST_DEADLINE": "2.5",
    "VOICERA_DATA_DIR": "/srv/a folder/ü",
    "VOICERA_COLOUR": "blue",
    "VOICERA_KEY": "line\nline",
}


def test_the_environment_given_to_child_processes_recreates_the_settings() -> None:
    settings = load(GIVEN, Extra)
    again = load(as_environment(settings), Extra)
    assert again == settings
    assert again.of(Extra) == settings.of(Extra)
    assert as_environment(again) == as_environment(settings)
    assert as_environment(settings).keys() == GIVEN.keys()


@given(amount=st.integers(1, MOST), unit=st.sampled_from(sorted(BYTES)), period=st.sampled_from(sorted(SECONDS)))
def test_every_rate_limit_that_is_accepted_survives_being_written_out(amount: int, unit: str, period: str) -> None:
    try:
        limit = Limit.parse(f"{amount}{unit}/{period}")
    except ValueError:
        assert amount * BYTES[unit] > MOST
    else:
        assert Limit.parse(str(limit)) == limit


@pytest.mark.parametrize("text", ["", "0/minute", "-1/minute", "1/year", "1 /minute", "1.5/minute", "\u0661/minute"])
def test_a_rate_limit_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write a rate limit as"):
        Limit.parse(text)


def test_settings_cannot_be_changed_and_do_not_print_secrets() -> None:
    settings = load(GIVEN, Extra)
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1
    assert CANARY not in repr(settings)
    assert CANARY not in str(settings)


def voicera(*arguments: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VOICERA_")}
    return subprocess.run(
        [sys.executable, "-m", "voicera", *arguments],
        env={**clean, "PYTHONPATH": str(ROOT), "COLUMNS": "250", **environ},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_production_does_not_start_without_urls_and_says_which(tmp_path: Path) -> None:
    done = voicera("serve", "--env", "production", "--port", "0", folder=tmp_path)
    assert done.returncode == 78
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if "error" in line]
    assert len(lines) == 1
    for name in ("VOICERA_DATABASE_URL", "VOICERA_REDIS_URL", "VOICERA_S3_ENDPOINT_URL"):
        assert name in lines[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("environ", "name"),
    [({"VOICERA_WORKERS": "abc"}, "VOICERA_WORKERS"), ({"VOICERA_TRUSTED_PROXIES": "x"}, "VOICERA_TRUSTED_PROXIES")],
)
def test_a_wrong_variable_ends_the_start_with_78_and_one_line(
    tmp_path: Path, environ: dict[str, str], name: str
) -> None:
    done = voicera("serve", folder=tmp_path, **environ)
    assert (done.returncode, done.stdout) == (78, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"voicera: {name}: ")


def test_voicera_settings_names_the_source_of_each_and_masks_secrets(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("VOICERA_S3_REGION=eu-central-1\n")
    secret = {
        "VOICERA_DATABASE_URL": f"postgresql://u:{CANARY}@h/d",
        "VOICERA_REDIS_URL": f"redis://:{CANARY}@h",
        "VOICERA_S3_ACCESS_KEY_ID": CANARY,
        "VOICERA_S3_SECRET_ACCESS_KEY": CANARY,
        "VOICERA_JWT_SECRET": CANARY * 4,
        "VOICERA_JWT_PREVIOUS_SECRETS": CANARY * 4,
        "VOICERA_JWT_PRIVATE_KEY": CANARY,
    }
    done = voicera("settings", "--data-dir", "/srv/x", folder=tmp_path, **secret)
    assert done.returncode == 0
    assert CANARY not in done.stdout + done.stderr
    rows = {cells[0]: cells[1:3] for line in done.stdout.splitlines() if (cells := _cells(line))}
    assert all(rows[name] == ["********", "environment"] for name in secret)
    assert rows["VOICERA_S3_REGION"] == ["eu-central-1", ".env"]
    assert rows["VOICERA_DATA_DIR"] == ["/srv/x", "flag"]
    assert rows["VOICERA_PORT"] == ["8000", "default"]
    assert {f"VOICERA_{name.upper()}" for name in Settings.model_fields} <= rows.keys()


def test_voicera_settings_names_every_variable_in_full_on_a_narrow_terminal(tmp_path: Path) -> None:
    done = voicera("settings", folder=tmp_path, COLUMNS="80")
    assert [name for name in Settings.model_fields if f"VOICERA_{name.upper()} " not in done.stdout] == []


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│").split("│")] if line.startswith("│ VOICERA") else []
