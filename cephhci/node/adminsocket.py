"""Questions to a running daemon through its admin socket.

Spoken directly, because one `ceph daemon` process costs half a second of CPU and this is asked often.
Protocol: the JSON request ended by a NUL byte; the answer is a big-endian 32-bit length and that many bytes.
"""

import json
import socket
import struct
from typing import Dict

from cephhci.node.errors import DaemonUnreachable

TIMEOUT = 2.0  # seconds for each step; a daemon answers in milliseconds or is stuck
ANSWER_LIMIT = 16 * 1024 * 1024


def ask(path: str, command: str) -> Dict[str, object]:
    """The answer of the daemon to ``command`` (its "prefix"). Raises DaemonUnreachable."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT)
            connection.connect(path)
            connection.sendall(json.dumps({"prefix": command, "format": "json"}).encode("ascii") + b"\0")
            (length,) = struct.unpack(">I", _receive(connection, 4))
            if length > ANSWER_LIMIT:
                raise ValueError("answer of %d bytes" % length)
            answer = json.loads(_receive(connection, length).decode("utf-8", "replace"))
    except (OSError, ValueError) as error:
        raise DaemonUnreachable(socket=path, reason=str(error)) from error
    if not isinstance(answer, dict):
        raise DaemonUnreachable(socket=path, reason="the answer is not an object")
    return answer


def _receive(connection: socket.socket, length: int) -> bytes:
    received = b""
    while len(received) < length:
        part = connection.recv(length - len(received))
        if not part:
            raise ValueError("the connection ended early")
        received += part
    return received
