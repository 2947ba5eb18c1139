"""Multipathing that does nothing: what an SR without multipath gets as ``mpathmodule``."""


def activate() -> None:
    """Nothing to start."""


def deactivate() -> None:
    """Nothing to stop."""


def path(SCSIid: str) -> str:
    """The device of a LUN when there is one path to it."""
    return "/dev/disk/by-id/scsi-" + SCSIid
