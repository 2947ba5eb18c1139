"""The verbs that change a running lab; run in the lab's namespaces by lab.Lab, never by hand."""

import sys

from lab import bringup
from lab.envfile import BadEnvironment
from lab.machine import Machine
from lab.state import LabError, State

VERBS = {
    "start": Machine.start,
    "stop": Machine.stop,
    "kill": Machine.kill,
    "cut": Machine.cut,
    "heal": Machine.heal,
}


def main(name: str, verb: str, argument: str) -> int:
    """Do one verb; the reason of a failure goes to stderr."""
    state = State(name)
    try:
        if verb == "up":
            bringup.bring_up(state, first_loop=int(argument))
        else:
            VERBS[verb](Machine(state, state.environment(), argument))
    except (LabError, BadEnvironment) as error:
        sys.stderr.write("%s\n" % error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
