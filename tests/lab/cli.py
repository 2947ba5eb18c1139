"""The `lab` command: thin verbs over lab.Lab."""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lab import enter
from lab.envfile import BadEnvironment
from lab.lab import DEFAULT_ENVIRONMENT, Lab
from lab.state import LabError, known

Verb = Callable[[Lab, argparse.Namespace], int]


def main(argv: list[str]) -> int:
    """Run one verb. Expected errors are one line and exit code 1."""
    arguments = _parser().parse_args(argv)
    try:
        verb: Verb = arguments.verb
        return verb(Lab(arguments.name), arguments)
    except (LabError, BadEnvironment, FileNotFoundError) as error:
        sys.stderr.write("lab: %s\n" % error)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our output has had enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab", description="simulated XCP-ng hosts with a real Ceph cluster")
    parser.add_argument("--name", default="lab", help="which lab; several can run side by side")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    up = _add(verbs, "up", _up, "start a lab and wait until it is usable")
    up.add_argument("environment", nargs="?", type=Path, default=DEFAULT_ENVIRONMENT, help="TOML file")
    _add(verbs, "down", _down, "end a lab and delete its files")
    _add(verbs, "status", _status, "show the machines of a lab")
    for name, text in (
        ("start", "power a machine on"),
        ("stop", "shut a machine down cleanly"),
        ("kill", "take a machine's power away"),
        ("cut", "pull a machine's network cables"),
        ("heal", "plug them back in"),
    ):
        _add(verbs, name, _change, text).add_argument("machine")
    _add(verbs, "shell", _shell, "a shell in a machine").add_argument("machine")
    execute = _add(verbs, "exec", _exec, "run a program in a machine: exec MACHINE -- ARGV...")
    execute.add_argument("machine")
    execute.add_argument("program", nargs=argparse.REMAINDER)
    _add(verbs, "xe", _xe, "run xe on the first host").add_argument("program", nargs=argparse.REMAINDER)
    return parser


def _add(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, verb: Verb, text: str
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(verb=verb, verb_name=name)
    return parser


def _up(lab: Lab, arguments: argparse.Namespace) -> int:
    lab.up(arguments.environment, progress=sys.stdout)
    return 0


def _down(lab: Lab, arguments: argparse.Namespace) -> int:
    lab.down()
    return 0


def _status(lab: Lab, arguments: argparse.Namespace) -> int:
    if lab.name not in known():
        others = " ".join(known())
        raise LabError("there is no lab called %s%s" % (lab.name, "; there are: " + others if others else ""))
    print("lab %s: %s" % (lab.name, "up" if lab.is_up else "dead; `lab down` deletes its files"))
    for machine, kind, state in lab.status():
        print("%-8s %-5s %s" % (machine, kind, state))
    return 0


def _change(lab: Lab, arguments: argparse.Namespace) -> int:
    lab.change(arguments.verb_name, arguments.machine)
    return 0


def _shell(lab: Lab, arguments: argparse.Namespace) -> int:
    return _interactive(lab, arguments.machine, ["/bin/bash", "--login"])


def _exec(lab: Lab, arguments: argparse.Namespace) -> int:
    program = arguments.program[1:] if arguments.program[:1] == ["--"] else arguments.program
    if not program:
        raise LabError("exec needs a program: lab exec %s -- ARGV..." % arguments.machine)
    return _interactive(lab, arguments.machine, program)


def _xe(lab: Lab, arguments: argparse.Namespace) -> int:
    return _interactive(lab, lab.environment.hosts[0].name, ["/usr/bin/xe", *arguments.program])


def _interactive(lab: Lab, machine: str, program: list[str]) -> int:
    """Run with the terminal's own stdin, stdout and stderr, and answer the program's exit code."""
    environment = {**enter.ENVIRONMENT, "TERM": os.environ.get("TERM", "dumb")}
    status = subprocess.call(lab.machine(machine).argv(program), env=environment)
    return 128 - status if status < 0 else status
