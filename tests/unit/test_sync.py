"""A scan changes exactly the records that differ."""

from typing import Any

from cephhci.entry import Entry
from cephhci.sync import Row, mark, plan, row_of, rows_of


def entry(uuid: str, size: int = 4, used: int = 0, read_only: bool = False, tracked: bool = False) -> Entry:
    image = "vdi-" + uuid
    return Entry(uuid, "ok", image, "1", "", size, 0, used, "", "", "user", read_only, "", "", tracked, (), None)


def row(uuid: str, **changes: Any) -> Row:
    plain = Row("ref-" + uuid, uuid, uuid, size=4, used=0, read_only=False, missing=False, tracked=False)
    return plain._replace(**changes)


def test_equal_sides_need_nothing() -> None:
    assert plan([entry("a")], [], [row("a")]) == ([], [], [])


def test_every_difference_counts() -> None:
    for change in ({"size": 8}, {"used": 1}, {"read_only": True}, {"missing": True}, {"tracked": True}):
        assert plan([entry("a")], [], [row("a", **change)]) == ([], [("ref-a", entry("a"), False)], [])


def test_new_and_gone() -> None:
    found = plan([entry("a")], [], [row("b")])
    assert [disk.uuid for disk in found.introduce] == ["a"]
    assert [gone.uuid for gone in found.forget] == ["b"]


def test_a_lost_image_marks_the_record() -> None:
    assert plan([entry("a")], ["a"], [row("a")]).update == [("ref-a", entry("a"), True)]
    assert plan([entry("a")], ["a"], [row("a", missing=True)]).update == []


def test_marks_follow_what_plan_compares() -> None:
    base = mark([entry("a"), entry("b")], [], ["r1", "r2"])
    assert base == mark([entry("b"), entry("a")], [], ["r2", "r1"])
    different = [
        mark([entry("a")], [], ["r1", "r2"]),
        mark([entry("a", size=8), entry("b")], [], ["r1", "r2"]),
        mark([entry("a", used=1), entry("b")], [], ["r1", "r2"]),
        mark([entry("a", read_only=True), entry("b")], [], ["r1", "r2"]),
        mark([entry("a", tracked=True), entry("b")], [], ["r1", "r2"]),
        mark([entry("a"), entry("b")], ["a"], ["r1", "r2"]),
        mark([entry("a"), entry("b")], [], ["r1", "r3"]),
        mark([entry("a"), entry("b")], [], ["r1"]),
    ]
    assert len(set(different + [base])) == len(different) + 1


def test_rows_of_both_transports() -> None:
    record = {"uuid": "u", "location": "l", "read_only": False, "missing": False, "cbt_enabled": True}
    number = dict(record, virtual_size=8, physical_utilisation=4)
    text = dict(record, virtual_size="8", physical_utilisation="4")
    assert row_of("r", number) == row_of("r", text) == Row("r", "u", "l", 8, 4, False, False, True)
    assert rows_of({"r": number}) == [row_of("r", text)]
