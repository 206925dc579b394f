"""The docs say what the code does: every setting, error code, hook, command and route is documented."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
import write_docs

from core.app import assemble, discover

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", write_docs.pages())
def test_a_generated_page_is_what_the_code_says(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == write_docs.pages()[name], "run `make docs`"


def test_every_setting_has_one_line_of_help() -> None:
    for section in discover(environ={})[0].sections():
        for name, field in type(section).model_fields.items():
            assert field.description, name
            assert field.description.endswith("."), name


def test_every_hook_says_what_it_is_for() -> None:
    for module in write_docs.hook_modules():
        for name, function in write_docs.specifications(module):
            assert inspect.getdoc(function), name


def test_every_route_says_what_it_does() -> None:
    for route in assemble(*discover(environ={})).routes:
        assert inspect.getdoc(route.handler), route.name


def test_every_link_of_the_docs_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_command_stands_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for command in ("serve", "env", "settings", "plugins", "routes", "migrate", "user create"):
        assert f"voicera {command}" in readme


def test_the_decisions_are_listed() -> None:
    listed = (ROOT / "docs/decisions/README.md").read_text()
    for page in (ROOT / "docs/decisions").glob("*.md"):
        assert page.name == "README.md" or page.name in listed, page.name
