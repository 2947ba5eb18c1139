"""Turns the errors of librados and librbd into ours, in one place.

Class names differ between bindings (14.2 has no ConnectionShutdown, and text differs), the errno does not:
it alone decides.
"""

import errno
from contextlib import contextmanager
from typing import Callable, Dict, Iterator, Mapping, Optional

import rados
import rbd

from cephhci import errors

Maker = Callable[[], errors.Error]
BLOCKLISTED = 108  # ESHUTDOWN


def number_of(error: Exception) -> int:
    """The positive errno of a librados or librbd exception; 0 when it has none."""
    return abs(int(getattr(error, "errno", 0) or 0))


@contextmanager
def translated(what: str, user: str, known: Optional[Mapping[int, Maker]] = None) -> Iterator[None]:
    """Run a library call; ``known`` maps an errno to the error that it means for this very call."""
    try:
        yield
    except (rados.Error, rbd.Error) as error:
        number = number_of(error)
        if known and number in known:
            raise known[number]() from error
        raise from_errno(number, what, user, str(error)) from error


def from_errno(number: int, what: str, user: str, reason: str) -> errors.Error:
    """The error for an errno that means nothing special to the call."""
    makers: Dict[int, Maker] = {
        errno.ETIMEDOUT: lambda: errors.ClusterUnreachable(what=what, reason="timed out"),
        errno.ENOTCONN: lambda: errors.ClusterUnreachable(what=what, reason="not connected"),
        errno.EHOSTUNREACH: lambda: errors.ClusterUnreachable(what=what, reason="no route"),
        BLOCKLISTED: lambda: errors.Fenced(what=what),
        errno.EACCES: lambda: errors.AccessDenied(what=what, user=user),
        errno.EPERM: lambda: errors.AccessDenied(what=what, user=user),
        errno.ENOSPC: lambda: errors.NoSpace(what=what, reason="the pool is full"),
        errno.EDQUOT: lambda: errors.NoSpace(what=what, reason="the pool's quota is reached"),
    }
    if number in makers:
        return makers[number]()
    return errors.CephFailed(what=what, number=number, reason=reason)
