"""What is written into the index can be read again, and nothing else is taken for it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cephhci.entry import (
    FORMAT,
    HEADER_KEY,
    STATES,
    Entry,
    Garbage,
    Header,
    Writer,
    decode_entry,
    decode_garbage,
    decode_header,
    disk_key,
    encode,
    garbage_key,
    read_contents,
)
from cephhci.errors import IndexDamaged, SchemaUnknown

WRITERS = st.none() | st.builds(
    Writer, host=st.text(), boot=st.text(), claim=st.text(), clients=st.lists(st.text()).map(tuple)
)
ENTRIES = st.builds(
    Entry,
    uuid=st.uuids().map(str),
    state=st.sampled_from(STATES),
    image=st.text(),
    image_id=st.text(),
    snap=st.text(),
    growing=st.integers(min_value=0),
    size=st.integers(min_value=0),
    used=st.integers(min_value=0),
    label=st.text(),
    description=st.text(),
    type=st.text(),
    read_only=st.booleans(),
    snapshot_of=st.text(),
    snapshot_time=st.text(),
    tracked=st.booleans(),
    parent=st.lists(st.text()).map(tuple),
    writer=WRITERS,
)
HEADER = Header("sr-1", ("exclusive-lock", "layering"), "")


@given(ENTRIES)
def test_entries_survive(entry: Entry) -> None:
    value = encode(entry)
    value.decode("ascii")
    assert decode_entry(disk_key(entry.uuid), value) == entry


def test_headers_and_garbage_survive() -> None:
    assert decode_header(encode(HEADER)) == HEADER
    garbage = Garbage("10ab", "d")
    assert decode_garbage(garbage_key("10ab"), encode(garbage)) == garbage


@given(st.binary())
def test_noise_is_damage(value: bytes) -> None:
    with pytest.raises((IndexDamaged, SchemaUnknown)):
        decode_entry("vdi.x", value)


def changed(**fields: object) -> bytes:
    value = json.loads(encode(HEADER).decode("ascii"))
    value.update(fields)
    return json.dumps(value).encode("ascii")


def test_a_newer_format_is_refused() -> None:
    with pytest.raises(SchemaUnknown):
        decode_header(changed(v=FORMAT + 1))


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(IndexDamaged):
        decode_header(changed(colour="red"))


def test_one_unreadable_entry_stops_the_whole_reading() -> None:
    with pytest.raises(IndexDamaged) as caught:
        read_contents({HEADER_KEY: encode(HEADER), "vdi.a": b"{}"})
    assert "vdi.a" in str(caught.value)


def test_an_unknown_kind_of_entry_is_refused() -> None:
    with pytest.raises(SchemaUnknown):
        read_contents({HEADER_KEY: encode(HEADER), "snap.a": b"{}"})


def test_an_index_without_header_is_damaged() -> None:
    with pytest.raises(IndexDamaged):
        read_contents({})
