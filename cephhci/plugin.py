"""The functions of the plugin, from their checked arguments to the text that XAPI returns."""

import json
from typing import Any, Callable, Dict, Mapping, NamedTuple, Tuple

from cephhci import clusters, errors, functions, preflight, status
from cephhci.xapi.port import PoolRecord, XapiPool

Result = Tuple[Dict[str, Any], str]  # for machines, for a person


class Context(NamedTuple):
    """What a function may use: the pool, and the host it runs on."""

    pool: XapiPool
    host: str
    facts: Callable[[], Dict[str, Any]]
    connect: clusters.Connect


def answer(name: str, given: Mapping[str, str], here: Context) -> str:
    """Run a function; raises an Error with a code when it cannot be done."""
    function = functions.find(name)
    arguments = functions.check(function, given)
    data, text = HANDLERS[name](here)
    if arguments["format"] == "text":
        return text
    return json.dumps(data, sort_keys=True)


def _help(_: Context) -> Result:
    return {"functions": functions.described()}, functions.help_text()


def _version(here: Context) -> Result:
    facts = here.facts()
    return facts, "xcpng-ceph-hci %s, Python %s" % (facts["package"], facts["python"])


def _status(here: Context) -> Result:
    record = here.pool.read()
    document = status.report(record, clusters.distinct(_clusters(here, record)))
    return document, status.text(document)


def _host_facts(here: Context) -> Result:
    facts = dict(here.facts(), clusters=_clusters(here, here.pool.read()))
    return facts, json.dumps(facts, indent=2, sort_keys=True)


def _preflight(here: Context) -> Result:
    record = here.pool.read()
    facts = {host.uuid: _facts_of(here, host.uuid) for host in record.hosts}
    document = preflight.document(preflight.rows(record, facts))
    return document, preflight.text(document)


def _facts_of(here: Context, host: str) -> Dict[str, Any]:
    try:
        facts: Dict[str, Any] = json.loads(here.pool.call(host, "host-facts", {}))
    except errors.Error as error:
        return {"error": error.code, "reason": error.sentence}
    return facts


def _clusters(here: Context, record: PoolRecord) -> Any:
    return [clusters.examine(used, here.connect) for used in clusters.used_by(here.host, record, here.pool)]


HANDLERS: Dict[str, Callable[[Context], Result]] = {
    "help": _help,
    "version": _version,
    "status": _status,
    "preflight": _preflight,
    "host-facts": _host_facts,
}
