"""The list of drivers, held to how xapi reads its files."""

import pytest

from cephhci import whitelist

STOCK = "sm-plugins=ext nfs iscsi file iso lvm smb"
LINSTOR = ("99-enable-sm-driver-linstor.conf", "sm-plugins=ext nfs ext4 largeblock linstor\n")


@pytest.mark.parametrize(
    "line, drivers",
    [
        ("", None),
        ("# sm-plugins = a", None),
        ("sm-plugins", None),
        ("other = a b", None),
        ("sm-plugins-more = a", None),
        ("sm-plugins=", []),
        ("sm-plugins=a b", ["a", "b"]),
        ("  sm-plugins\t= a\t b  # and no more", ["a", "b"]),
        ("sm-plugins = 'a b'", ["a", "b"]),
        ('sm-plugins = "a b" ', ["a", "b"]),
        ("sm-plugins = 'a b", ["'a", "b"]),
        ("sm-plugins=*", ["*"]),
        ("sm-plugins = a=b", ["a=b"]),
    ],
)
def test_one_line(line, drivers):
    assert whitelist.setting(line) == drivers


def drivers_of(text):
    return whitelist.effective([("fragment", text)])


def test_the_stock_list_and_ceph():
    text = whitelist.fragment(STOCK, [])
    assert drivers_of(text) == ["ext", "nfs", "iscsi", "file", "iso", "lvm", "smb", "ceph"]
    assert text.endswith("\n")


def test_the_last_fragment_replaces_the_list():
    text = whitelist.fragment(STOCK, [LINSTOR, ("10-first.conf", "sm-plugins=first")])
    assert drivers_of(text) == ["ext", "nfs", "ext4", "largeblock", "linstor", "ceph"]


def test_the_last_line_of_a_file_replaces_the_list():
    assert drivers_of(whitelist.fragment("sm-plugins=a\nx=1\nsm-plugins=b", [])) == ["b", "ceph"]


@pytest.mark.parametrize("name", ["99-old.conf.rpmsave", "README", "99-x.conf~"])
def test_every_suffix_counts(name):
    assert drivers_of(whitelist.fragment(STOCK, [(name, "sm-plugins=left over")])) == ["left", "over", "ceph"]


def test_names_are_ordered_by_their_bytes():
    files = [("a", ""), ("Z", ""), ("10", ""), ("9", ""), ("é", "")]
    assert [name for name, _ in whitelist.in_order(files)] == ["10", "9", "Z", "a", "é"]


def test_our_own_fragment_does_not_count():
    own = (whitelist.FRAGMENT, "sm-plugins = gone ceph")
    assert drivers_of(whitelist.fragment(STOCK, [own])) == drivers_of(whitelist.fragment(STOCK, []))


def test_all_stays_all():
    assert drivers_of(whitelist.fragment("sm-plugins=*", [])) == ["*"]


@pytest.mark.parametrize("name", ["ceph", "Ceph"])
def test_ceph_is_not_added_twice(name):
    assert drivers_of(whitelist.fragment("sm-plugins=nfs %s" % name, [])) == ["nfs", name]


def test_nothing_allowed_anywhere():
    assert drivers_of(whitelist.fragment("", [])) == ["ceph"]


def test_the_fragment_has_the_last_word():
    ours = whitelist.fragment(STOCK, [LINSTOR])
    files = whitelist.in_order([(whitelist.FRAGMENT, ours), LINSTOR])
    assert "ceph" in whitelist.effective([("xapi.conf", STOCK)] + files)


def test_who_overrules_us():
    later = [("zzz.conf", "sm-plugins=a"), ("zzzz.conf", "sm-plugins=a\nsm-plugins=*"), ("zzzzz", "x=1")]
    files = [LINSTOR] + later
    assert whitelist.overruled_by(files) == ["zzz.conf"]
