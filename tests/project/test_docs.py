"""The docs say what the code does: every setting, error code, hook, command and route is documented."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
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


def hooks() -> dict[str, str]:
    """The docstrings of all hooks, by name."""
    modules = write_docs.hook_modules()
    found = [specified for module in modules for specified in write_docs.specifications(module)]
    assert len(found) == len(dict(found)), "no two have the same name"
    return {name: inspect.getdoc(function) or "" for name, function in found}


def test_every_hook_says_what_it_is_for() -> None:
    assert [name for name, said in hooks().items() if not said] == []


def test_every_hook_is_called_by_one_verb_the_one_that_it_names() -> None:
    """A hook that is not collected at the start says also what it has to do with a transaction."""
    called = write_docs.verbs()
    for name, said in hooks().items():
        named = set(re.findall(r"\*(collect|first|within|after)\*", said))
        assert named <= {called[name]}, name
        assert called[name] == "collect" or (named and "transaction" in said), name


@pytest.mark.parametrize(
    ("code", "verbs"),
    [
        ('hooks.first("calls_recorded")', ["after", "first"]),
        ('for name in ("x", "calls_recorded"): hooks.within(name)', ["after", "within"]),
        ('NAME = "calls_recorded"\nRoute(hook=NAME)\nhooks.collect(route.hook)', ["after", "collect"]),
    ],
)
def test_a_hook_that_is_called_by_two_verbs_cannot_be_documented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, verbs: list[str]
) -> None:
    (tmp_path / "caller.py").write_text(code)
    monkeypatch.setattr(write_docs, "CALLERS", (*write_docs.CALLERS, str(tmp_path)))
    with pytest.raises(ValueError, match=re.escape(f"'calls_recorded': {verbs}")):
        write_docs.verbs()


def test_a_hook_that_is_called_nowhere_cannot_be_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_docs, "CALLERS", ("core",))
    with pytest.raises(ValueError, match=r"'calls_recorded': \[\]"):
        write_docs.verbs()


def test_what_hooks_carry_is_described_once() -> None:
    described = re.findall(r"^#### `(\w+)`$", write_docs.pages()["hooks.md"], re.MULTILINE)
    assert len(described) == len(set(described))
    assert {"CallsRecorded", "CallChange", "CampaignEvent", "AgentsChanged", "RegisteredUser", "Card"} <= set(described)


def test_every_hook_has_an_example_and_there_is_no_example_of_anything_else() -> None:
    assert sorted(path.stem for path in write_docs.EXAMPLES.glob("*.py")) == sorted(hooks())


@pytest.mark.parametrize("path", sorted(write_docs.EXAMPLES.rglob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_a_plugin_as_third_parties_write_them(path: Path) -> None:
    """It implements its hook, or asks it, and imports nothing that a plugin may not."""
    code = path.read_text()
    if path.parent == write_docs.EXAMPLES:
        implemented = re.search(rf"^@hookimpl.*\n(async )?def {path.stem}\(", code, re.MULTILINE)
        assert implemented or re.search(rf'hooks\.first\(\s*"{path.stem}"', code)
    for imported in re.findall(r"^\s*(?:from|import) ([\w.]+)", code, re.MULTILINE):
        package = imported.partition(".")[0]
        published = re.fullmatch(r"plugins\.\w+\.hookspecs", imported)
        assert published or package in sys.stdlib_module_names | {"voicera", "piccolo", "pydantic", "typer"}, imported


def test_every_hook_has_a_test_of_its_name_that_says_what_it_proves() -> None:
    """Each runs the example of the hook in an application; none is skipped."""
    found: list[str] = []
    for path in sorted((ROOT / "tests" / "hooks").glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                assert ast.get_docstring(node), node.name
                assert not node.decorator_list, f"{node.name}: nothing is left out"
                found.append(node.name.removeprefix("test_"))
    assert sorted(found) == sorted(hooks())


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


def patterned(schema: Any, seen: set[Any]) -> Iterator[msgspec.Meta]:
    """Every `Meta` with a pattern in a type, and in those that it is made of."""
    for meta in getattr(schema, "__metadata__", ()):
        if isinstance(meta, msgspec.Meta) and meta.pattern:
            yield meta
    inner = [schema.__origin__] if hasattr(schema, "__metadata__") else list(get_args(schema))
    if isinstance(schema, type) and issubclass(schema, msgspec.Struct) and schema not in seen:
        seen.add(schema)
        inner += get_type_hints(schema, include_extras=True).values()
    for each in inner:
        yield from patterned(each, seen)


def test_nobody_is_answered_with_a_regular_expression() -> None:
    """Way out: `Meta(pattern=…, extra={"wanted": "must be …"})`."""
    seen: set[Any] = set()
    taken = [
        (route.name, meta)
        for route in assemble(*discover(environ={})).routes
        for schema in (route.body, route.query, route.streamed_body)
        for meta in patterned(schema, seen)
    ]
    assert len(taken) > 3
    assert [(name, meta) for name, meta in taken if not ((meta.extra or {}).get("wanted") or meta.description)] == []
