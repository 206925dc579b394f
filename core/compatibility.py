"""Whether a plugin fits this version: the `api_version` that it was written for, and the deprecated hooks that it uses.

See docs/compatibility.md for what may change, and when.
"""

from __future__ import annotations

import logging
import re
from types import ModuleType

import pluggy

from core import API_VERSION
from core.hooks import callers

log = logging.getLogger("voicera.plugins")
VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})")


def misfit(module: ModuleType) -> str | None:
    """Say why a plugin's `api_version` does not fit, None if it does or names none."""
    wanted = getattr(module, "api_version", None)
    if wanted is None:
        return None
    parsed = VERSION.fullmatch(wanted) if isinstance(wanted, str) else None
    if parsed is None:
        return f'its api_version is {wanted!r}: write "{API_VERSION}", a string'
    ours, theirs = _numbers(API_VERSION), (int(parsed[1]), int(parsed[2]))
    if theirs[0] < ours[0]:
        return f"it was written for the plugin API {wanted}, and this is {API_VERSION}: it needs a newer version"
    return f"it needs the plugin API {wanted}, and this is {API_VERSION}: update VoiceERA" if theirs > ours else None


def _numbers(version: str) -> tuple[int, int]:
    major, minor = version.split(".")
    return int(major), int(minor)


def unusable(manager: pluggy.PluginManager, plugin: str) -> str | None:
    """Say what is wrong with a plugin's implementations as such, None if nothing is."""
    for name, caller in callers(manager):
        for impl in caller.get_hookimpls():
            if impl.plugin_name == plugin and (impl.wrapper or impl.hookwrapper):
                return f"its {name} is a hook wrapper, which VoiceERA does not call"
    return None


def too_many_arguments(manager: pluggy.PluginManager, specifications: ModuleType) -> list[tuple[str, str]]:
    """Before hooks are specified: the plugins that take arguments which these hooks do not give, and what is wrong."""
    found: list[tuple[str, str]] = []
    for name, caller in callers(manager):
        specified = getattr(specifications, name, None)
        if caller.has_spec() or not hasattr(specified, f"{manager.project_name}_spec"):
            continue
        given = _arguments(specified)
        found += [
            (impl.plugin_name, f"its {name} takes {min(extra)}, which the hook does not give")
            for impl in caller.get_hookimpls()
            if (extra := set(impl.argnames) - set(given))
        ]
    return found


def _arguments(function: object) -> list[str]:
    code = getattr(function, "__code__", None)
    return [] if code is None else list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def warn_of_deprecated(manager: pluggy.PluginManager) -> None:
    """Log which plugin uses what is deprecated; pluggy has given a DeprecationWarning, which names only the file."""
    for name, caller in callers(manager):
        if caller.spec is None:
            continue
        for impl in caller.get_hookimpls():
            extra = {"plugin": impl.plugin_name, "hook": name}
            if caller.spec.warn_on_impl:
                log.warning("deprecated hook", extra={**extra, "advice": str(caller.spec.warn_on_impl)})
            for argument, advice in (caller.spec.warn_on_impl_args or {}).items():
                if argument in impl.argnames:
                    log.warning("deprecated argument", extra={**extra, "argument": argument, "advice": str(advice)})
