"""Start this host's toolstack: ``python3 main.py``, no arguments; ends at SIGTERM."""

import logging
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lab.xapi import config  # noqa: E402 (the path comes first)
from lab.xapi.node import Node  # noqa: E402


def main() -> None:
    """Serve until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s [%(threadName)s] %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    node = Node(config.read())
    node.start()
    stop.wait()
    node.stop()


if __name__ == "__main__":
    main()
