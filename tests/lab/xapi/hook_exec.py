"""Hook scripts: programs in a folder named after the event, run in the order of their names."""

import os
from collections.abc import Sequence

from lab.xapi import process
from lab.xapi.failure import Failure

GO_ON = (0, 1)  # 1 means: noted in the log and otherwise ignored
NO_REASON = "none"


def execute(root: str, hook: str, args: Sequence[str], reason: str = NO_REASON) -> None:
    """Run every script of ``root``/``hook`` with ``args`` and the reason.

    The first one that ends with another code than 0 or 1 stops the operation: XAPI_HOOK_FAILED, with what
    the script printed for the operator.
    """
    directory = os.path.join(root, hook)
    if not os.path.isdir(directory):
        return
    for script in sorted(os.listdir(directory)):
        argv = [os.path.join(directory, script), *args, "-reason", reason]
        outcome = process.run(argv, process.PATH_ONLY)
        if outcome.status not in GO_ON:
            code = str(outcome.status)
            raise Failure("XAPI_HOOK_FAILED", f"{hook}/{script}", reason, outcome.stdout, code)
