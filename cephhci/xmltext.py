"""The XML documents that this package writes; the one place that knows how.

Only what lxml shares with the standard library's ElementTree is used, so that a dom0 without lxml still works.
"""

from typing import Iterable, NamedTuple


class FoundSr(NamedTuple):
    """An SR found by a probe."""

    uuid: str
    pool: str
    namespace: str


def sr_list(found: Iterable[FoundSr]) -> str:
    """The document that clients know from other drivers' probes: SRlist, SR, UUID, and where the SR is."""
    # Imported here, because every command of the driver would wait for lxml (9 ms), and only a probe needs it.
    try:
        from lxml import etree
    except ImportError:
        from xml.etree import ElementTree as etree

    root = etree.Element("SRlist")
    for sr in found:
        element = etree.SubElement(root, "SR")
        for name, text in (("UUID", sr.uuid), ("pool", sr.pool), ("namespace", sr.namespace)):
            etree.SubElement(element, name).text = text
    # ASCII with character references: the text passes through processes that have no locale.
    return str(etree.tostring(root, encoding="us-ascii").decode("ascii"))
