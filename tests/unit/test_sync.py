"""A scan changes exactly the records that differ."""

from cephhci.entry import Entry
from cephhci.sync import Row, mark, plan, row_of, rows_of


def entry(uuid: str, size: int = 4, used: int = 0, read_only: bool = False) -> Entry:
    return Entry(uuid, "ok", "vdi-" + uuid, "1", "", size, 0, used, "", "", "user", read_only, "", "", (), None)


def row(uuid: str, size: int = 4, used: int = 0, read_only: bool = False, missing: bool = False) -> Row:
    return Row("ref-" + uuid, uuid, uuid, size, used, read_only, missing)


def test_equal_sides_need_nothing() -> None:
    assert plan([entry("a")], [], [row("a")]) == ([], [], [])


def test_every_difference_counts() -> None:
    for changed in (row("a", size=8), row("a", used=1), row("a", read_only=True), row("a", missing=True)):
        assert plan([entry("a")], [], [changed]) == ([], [("ref-a", entry("a"), False)], [])


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
        mark([entry("a"), entry("b")], ["a"], ["r1", "r2"]),
        mark([entry("a"), entry("b")], [], ["r1", "r3"]),
        mark([entry("a"), entry("b")], [], ["r1"]),
    ]
    assert len(set(different + [base])) == len(different) + 1


def test_rows_of_both_transports() -> None:
    record = {"uuid": "u", "location": "l", "read_only": False, "missing": False}
    number = dict(record, virtual_size=8, physical_utilisation=4)
    text = dict(record, virtual_size="8", physical_utilisation="4")
    assert row_of("r", number) == row_of("r", text) == Row("r", "u", "l", 8, 4, False, False)
    assert rows_of({"r": number}) == [row_of("r", text)]
