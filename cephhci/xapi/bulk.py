"""Many records at once.

JSON-RPC carries 2,000 records in a quarter of the time of XML-RPC (0.10 s against 0.39 s, xapi 26.1.3), and the
XenAPI module speaks only the latter. The local socket takes both.
"""

import http.client
import json
import socket
from typing import Any, Dict

from cephhci import errors

SOCKET = "/var/lib/xcp/xapi"
SECONDS = 60


class _LocalConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def disk_records(session: str, sr_ref: str, path: str = SOCKET) -> Dict[str, Dict[str, Any]]:
    """All VDI records of an SR by reference; ``session`` is a session reference. Raises XapiFailed."""
    request = {
        "jsonrpc": "2.0",
        "method": "VDI.get_all_records_where",
        "params": [session, 'field "SR" = "%s"' % sr_ref],
        "id": 1,
    }
    connection = _LocalConnection(path)
    try:
        connection.request("POST", "/jsonrpc", json.dumps(request), {"Content-Type": "application/json"})
        reply = json.loads(connection.getresponse().read().decode("utf-8"))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise errors.XapiFailed(what="reading the records of the SR's disks", reason=str(error)) from error
    finally:
        connection.close()
    if "result" not in reply:
        raise errors.XapiFailed(what="reading the records of the SR's disks", reason=str(reply.get("error")))
    records: Dict[str, Dict[str, Any]] = reply["result"]
    return records
