"""What a rule is: a function that yields what breaks it, and whose docstring is its message."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from voicera.testing.conformance.subject import Subject


@dataclass(frozen=True)
class Rule:
    """One rule; `breaks` yields a line for each place where a plugin breaks it."""

    breaks: Callable[[Subject], Any]

    @property
    def name(self) -> str:
        """The function's name, and after `test_` the test's."""
        return self.breaks.__name__

    @property
    def asks(self) -> bool:
        """True where an application may be needed; what is declared is looked at without one."""
        return inspect.isasyncgenfunction(self.breaks)

    @property
    def parts(self) -> tuple[str, str, str]:
        """What the rule says, why, and what to do about it."""
        says, why, way_out = inspect.cleandoc(self.breaks.__doc__ or "").split("\n\n")
        return " ".join(says.split()), " ".join(why.split()), " ".join(way_out.split())

    def message(self, found: list[str]) -> str:
        """What a test that fails says."""
        says, why, way_out = self.parts
        return "\n".join([says, why, way_out, "", *(f"  - {each}" for each in found)])

    async def broken(self, subject: Subject) -> list[str]:
        """Every place where the plugin breaks the rule. Raises NotServed where an application is needed."""
        found = self.breaks(subject)
        if inspect.isasyncgen(found):
            return [str(each) async for each in found]
        return list(found)


RULES: list[Rule] = []


def rule(breaks: Callable[[Subject], Any]) -> Callable[[Subject], Any]:
    """Add a rule. Its docstring has three paragraphs: what it says, `Why: …`, `Way out: …`."""
    RULES.append(Rule(breaks))
    return breaks
