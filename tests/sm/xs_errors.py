"""Numbered errors of the storage manager, looked up by name in XE_SR_ERRORCODES.xml."""

import errno as errors
import os
import xml.dom.minidom
import xmlrpc.client
from typing import Any, Dict, Optional, Tuple

import util

XML_DEFS = os.path.join(os.path.dirname(__file__), "XE_SR_ERRORCODES.xml")


class SRException(Exception):
    """An error that the caller sees as an XML-RPC fault; ``errno`` is the fault's number."""

    errno = errors.EINVAL

    def __init__(self, reason: str) -> None:
        super().__init__(reason)

    def toxml(self) -> str:
        """The fault as a complete XML-RPC response."""
        return xmlrpc.client.dumps(xmlrpc.client.Fault(int(self.errno), str(self)), "", True)


class SROSError(SRException):
    """An error with a number of its own."""

    def __init__(self, errno: int, reason: str) -> None:
        super().__init__(reason)
        self.errno = errno


class XenError(Exception):
    """``XenError(key)`` is an SROSError: the class only chooses number and text by the key."""

    def __new__(cls, key: str, opterr: Optional[Any] = None) -> Any:
        known = _definitions()
        if key not in known:
            return SROSError(1, "Error reporting error, unknown key %s" % key)
        number, text = known[key]
        if opterr is not None:
            text += " [opterr=%s]" % opterr
        util.SMlog("Raising exception [%d, %s]" % (number, text))
        return SROSError(number, text)


def _definitions() -> Dict[str, Tuple[int, str]]:
    if not os.path.exists(XML_DEFS):
        raise Exception("No XML def file found")
    found = {}
    for code in xml.dom.minidom.parse(XML_DEFS).getElementsByTagName("code"):
        found[_text(code, "name")] = (int(_text(code, "value")), _text(code, "description"))
    return found


def _text(code: Any, tag: str) -> str:
    return "".join(node.data for node in code.getElementsByTagName(tag)[0].childNodes)
