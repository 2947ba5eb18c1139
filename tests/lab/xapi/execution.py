"""What every host runs for the pool: its storage drivers, plugins and hook scripts."""

from typing import Any

from lab.xapi import hook_exec, plugin_exec, sm_exec
from lab.xapi.paths import PATHS
from lab.xapi.registry import local


@local("exec_sm")
def exec_sm(driver_path: str, method: str, params: dict[str, Any]) -> Any:
    """One execution of a storage driver on this host."""
    return sm_exec.execute(driver_path, method, params)


@local("call_plugin")
def call_plugin(name: str, function: str, session_ref: str, arguments: dict[str, str]) -> str:
    """One execution of a plugin on this host."""
    return plugin_exec.execute(PATHS.plugins, name, function, session_ref, arguments)


@local("run_hook")
def run_hook(hook: str, arguments: list[str], reason: str) -> None:
    """The scripts of one hook on this host."""
    hook_exec.execute(PATHS.hooks, hook, arguments, reason)
