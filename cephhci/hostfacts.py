"""What one host can say of itself for status and preflight."""

import os
import platform
from typing import Any, Callable, Dict, List, Tuple

from cephhci import errors, version, whitelist
from cephhci.host.mapper import Mapper

DRIVER = "/opt/xensource/sm/CephSR"
XAPI_CONF = "/etc/xapi.conf"
XAPI_CONF_FOLDER = "/etc/xapi.conf.d"


def gather(bindings: Callable[[], Dict[str, str]], mapper: Mapper, root: str = "/") -> Dict[str, Any]:
    """Versions, the driver's registration and the data path, with stable keys."""
    return {
        "package": version.VERSION,
        "python": platform.python_version(),
        "bindings": _tried(bindings),
        "driver": {"installed": os.access(_under(root, DRIVER), os.X_OK), "allowed": _is_allowed(root)},
        "krbd": _tried(lambda: {"features": list(mapper.features())}),
    }


def _tried(ask: Callable[[], Dict[str, Any]]) -> Dict[str, Any]:
    try:
        return dict(ask(), present=True)
    except errors.Error as error:
        return {"present": False, "error": error.code, "reason": error.sentence}


def _is_allowed(root: str) -> bool:
    folder = _under(root, XAPI_CONF_FOLDER)
    names = os.listdir(folder) if os.path.isdir(folder) else []
    fragments = whitelist.in_order([(name, _text(os.path.join(folder, name))) for name in names])
    main: List[Tuple[str, str]] = [("xapi.conf", _text(_under(root, XAPI_CONF)))]
    return whitelist.allows(whitelist.effective(main + fragments))


def _under(root: str, path: str) -> str:
    return os.path.join(root, path.lstrip("/"))


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except (FileNotFoundError, IsADirectoryError):
        return ""
