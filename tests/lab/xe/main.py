"""The program: one command in, text and an exit code out."""

import sys
from collections.abc import Callable, Sequence

import XenAPI

from lab.xe import machine_verbs, params, storage_verbs
from lab.xe.client import Client, connect
from lab.xe.cmdline import CliFailure, Command, MissingParameter, SyntaxFault, parse
from lab.xe.objects import UnknownField
from lab.xe.printer import Printer
from lab.xe.registry import VERBS
from lab.xe.texts import TEXTS

DECLARING = (machine_verbs, storage_verbs)  # imported for the verbs they declare

Bound = Callable[[Client, Command, Printer], None]


class UnknownVerb(Exception):
    """No such command."""


def action_of(command: Command) -> Bound:
    """What a command does, its required parameters checked; raises UnknownVerb or MissingParameter."""
    generic = params.find(command.verb)
    if command.verb in VERBS:
        action, required = VERBS[command.verb]
    elif generic is not None:
        kind, generic_action, required = generic

        def action(client: Client, given: Command, printer: Printer) -> None:
            generic_action(client, given, printer, kind)

    else:
        raise UnknownVerb(command.verb)
    for name in required:
        command.required(name)
    return action


class LoginRefused(Exception):
    """The pool cannot be reached or does not let the caller in; the text is for stderr."""


def api_error(details: Sequence[str], describe: Callable[[str], str]) -> str:
    """The text of an API error: its sentence and named parameters, or its code when it has no sentence."""
    code, values = details[0], [describe(value) for value in details[1:]]
    if code not in TEXTS:
        return f"Error code: {code}\nError parameters: {', '.join(values)}"
    sentence, names = TEXTS[code]
    lines = [sentence]
    for index in range(max(len(names), len(values))):
        name = names[index] if index < len(names) else "<extra>"
        lines.append(f"{name}: {values[index] if index < len(values) else '<unknown>'}")
    return "\n".join(lines)


def usage_error(title: str, detail: object) -> str:
    """The text of a command line that cannot be carried out."""
    return f"{title}: {detail}\nFor usage run: 'xe help'"


def connected(command: Command) -> Client:
    """Log in as the command says; raises LoginRefused with xe's words."""
    server, user = command.text("server"), command.text("username", "root")
    try:
        return connect(server, command.text("port"), user, command.text("password"))
    except XenAPI.Failure as failure:
        if failure.details[0] != "SESSION_AUTHENTICATION_FAILED":
            raise LoginRefused(api_error(failure.details, str)) from failure
        missing = command.find("username") is None
        text = "Username/password must be specified" if missing else "Authentication failed"
        raise LoginRefused(f"{text}\nFor usage run: 'xe help'") from failure
    except OSError as error:
        raise LoginRefused(f"Error: {error.strerror or error} (calling connect {server})") from error


def execute(client: Client, command: Command, action: Bound) -> str:
    """Carry out a command; the text for stderr, empty when it worked."""
    printer = Printer(command.flag("minimal"), sys.stdout)
    try:
        action(client, command, printer)
        printer.close()
        return ""
    except XenAPI.Failure as failure:
        return api_error(failure.details, client.described)
    except UnknownField as unknown:
        return f"Error code: Missing parameter\nError parameters: {unknown}"
    except MissingParameter as missing:
        return usage_error("Required parameter not found", missing)
    except CliFailure as failure:
        return f"Error: {failure}"


def run(argv: Sequence[str]) -> int:
    """Run ``xe`` with these arguments; 0 when it worked, 1 otherwise."""
    try:
        command = parse(argv)
        action = action_of(command)
        client = connected(command)
    except SyntaxFault as fault:
        text = usage_error("Syntax error", fault)
    except UnknownVerb as unknown:
        text = usage_error("Unknown command", unknown)
    except MissingParameter as missing:
        text = usage_error("Required parameter not found", missing)
    except LoginRefused as refused:
        text = str(refused)
    else:
        try:
            text = execute(client, command, action)
        finally:
            client.close()
    if text:
        print(text, file=sys.stderr)
    return 1 if text else 0
