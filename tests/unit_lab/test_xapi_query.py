"""The language of get_all_records_where, and how fast it answers for many disks."""

import time
from typing import Any

import pytest
from xapi_pool import Host

from lab.xapi import query
from lab.xapi.database import Database
from lab.xapi.failure import Failure
from lab.xapi.schema import schema


@pytest.fixture(scope="module")
def db() -> Database:
    made = Database(schema())
    for number, name in enumerate("abcd"):
        made.create("VM", ref=name, name_label=name, is_a_template=number % 2 == 0, VCPUs_max=number, tags=[name])
    made.create("SR", ref="sr")
    for name in ("v1", "v2"):
        made.create("VDI", ref=name, SR="sr", other_config={"k": "it's"})
    return made


@pytest.mark.parametrize(
    ("expression", "refs"),
    [
        ("true", "abcd"),
        ("false", ""),
        ("not false", "abcd"),
        ('field "name__label" = "b"', "b"),
        ('"b"=field"name__label"', "b"),
        ('field "is_a_template" = "true"', "ac"),
        ('field "VCPUs__max" = "3"', "d"),
        ('field "tags" = "(\'a\')"', "a"),
        ('field "_ref" = "c"', "c"),
        ('field "is_a_template" = "true" and not field "name__label" = "a"', "c"),
        ('field "is_a_template"="true"andfield "name__label"="a"', "a"),
        ('field "name__label"="a" or field "name__label"="b"', "ab"),
        ('(field "name__label"="a")or(field "name__label"="b")', "ab"),
        # "not" reaches to the end; "and" and "or" are taken from the left.
        ('not field "name__label"="a" or field "name__label"="b"', "cd"),
        ('true or true and field "name__label"="a"', "a"),
    ],
)
def test_expressions(db: Database, expression: str, refs: str) -> None:
    assert sorted(query.select(db, "VM", expression)) == list(refs)


@pytest.mark.parametrize(
    "expression", ["", "field", 'field "a"', "true true", "(true", "maybe", 'field "a" = b', "'a'='a'"]
)
def test_what_is_no_expression(db: Database, expression: str) -> None:
    with pytest.raises(Failure) as caught:
        query.select(db, "VM", expression)
    assert (caught.value.code, caught.value.params[0]) == ("INVALID_VALUE", expression)


def test_a_field_that_is_not_there(db: Database) -> None:
    with pytest.raises(Failure) as caught:
        query.select(db, "VM", 'field "name_label" = "a"')
    assert caught.value.description == ["INTERNAL_ERROR", "missing field", "name_label", ""]


def test_maps_and_references(db: Database) -> None:
    assert list(query.select(db, "VDI", 'field "SR" = "sr"')) == ["v1", "v2"]
    assert list(query.select(db, "VDI", 'not field "SR" = "sr"')) == []
    assert list(query.select(db, "VDI", 'field "SR" = "sr" or true')) == ["v1", "v2"]
    assert list(query.select(db, "VDI", "field \"other_config\" = \"(('k' 'it\\'s'))\"")) == ["v1", "v2"]


def timed(run: Any) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def test_ten_thousand_disks_are_no_burden(host: Host, session: str) -> None:
    """Generous limits: they catch a look at every object per call, not a busy machine."""
    db = host.master.db
    sr = db.create("SR", name_label="big")
    assert timed(lambda: [db.create("VDI", SR=sr) for _ in range(10000)]) < 5
    listing = min(timed(lambda: host.call("SR.get_VDIs", session, sr)) for _ in range(3))
    where = timed(lambda: host.call("VDI.get_all_records_where", session, 'field "SR" = "%s"' % sr))
    token = host.call("event.from", session, ["sr"], "", 0.0)["token"]
    since = timed(lambda: host.call("event.from", session, ["*"], token, 0.0))
    print("SR.get_VDIs %.3f s, get_all_records_where %.3f s, event.from %.3f s" % (listing, where, since))
    assert listing < 0.2 and where < 4 and since < 0.5
