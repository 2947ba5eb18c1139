"""Hook scripts: programs in a folder named after the event, run in the order of their names."""

import os
from collections.abc import Sequence

from lab.xapi import process
from lab.xapi.failure import Failure

GO_ON = (0, 1)  # 1 means: noted in the log and otherwise ignored


def execute(directory: str, args: Sequence[str]) -> None:
    """Run every script of ``directory`` with ``args`` (the last one is the reason).

    The first one that ends with another code than 0 or 1 stops the operation: XAPI_HOOK_FAILED, with what
    the script printed for the operator.
    """
    if not os.path.isdir(directory):
        return
    hook = os.path.basename(directory)
    for script in sorted(os.listdir(directory)):
        outcome = process.run([os.path.join(directory, script), *args], process.PATH_ONLY)
        if outcome.status not in GO_ON:
            raise Failure(
                "XAPI_HOOK_FAILED", f"{hook}/{script}", args[-1], outcome.stdout, str(outcome.status)
            )
