"""The outside linters, each one a test; a linter that is not installed is a failure, not a skip."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sources import PRODUCT, ROOT, below, files, python_files, shell_files

SPELLING_SKIPPED = ("LICENSE", ".json", ".xml", ".bin", ".tsv")
# Words that are right here: names of fields and of rpm's scriptlets, and a misspelt argument.
SPELLING_ALLOWED = "formt,triggerin,vdis"


def tool(name):
    """The program next to the running Python, else the one of the system."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, "%s is not installed; tests/run installs it" % name
    return found


def check(argv, **environment):
    """Run a linter in the root of the repository and fail with what it printed."""
    result = subprocess.run(
        [str(word) for word in argv],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    if result.returncode != 0:
        pytest.fail("%s\n%s" % (Path(argv[0]).name, result.stdout), pytrace=False)


def test_ruff():
    check([tool("ruff"), "check", "--no-cache", "--output-format=concise", *python_files()])


def test_mypy_of_the_product():
    """Library and driver in one run; the driver sees the stand-in SM modules as its base classes."""
    modules = [path for path in below(python_files(), "cephhci", "sm-driver") if path.suffix == ".py"]
    check([tool("mypy"), *modules], MYPY_CACHE_DIR="/var/tmp/xcpng-ceph-hci-mypy")


def test_mypy_of_the_entry_points():
    """One run each, because every script is a module called __main__ to mypy."""
    for path in below(python_files(), *PRODUCT):
        if not path.suffix:
            check([tool("mypy"), path], MYPY_CACHE_DIR="/var/tmp/xcpng-ceph-hci-mypy")


def test_mypy_of_the_lab():
    folders = ("tests/lab", "tests/sm", "tests/demonstration")
    modules = [path for path in below(python_files(), *folders) if path.suffix == ".py"]
    check([tool("mypy"), *modules], MYPY_CACHE_DIR="/var/tmp/xcpng-ceph-hci-mypy-lab")


def test_python_36_is_enough():
    """vermin knows syntax and library calls; the product and its unit tests run in dom0's Python 3.6."""
    paths = below(python_files(), *PRODUCT, "tests/unit", "tests/sm")
    options = ["-t=3.6-", "--eval-annotations", "--no-tips", "--violations", "--no-parse-comments"]
    check([tool("vermin"), *options, "--backport", "typing", *paths])


def test_shellcheck():
    check([tool("shellcheck"), "-x", *shell_files()])


def test_codespell():
    paths = [path for path in files() if not str(path).endswith(SPELLING_SKIPPED)]
    check([tool("codespell"), "--ignore-words-list", SPELLING_ALLOWED, *paths])


def test_rpmlint():
    """Silent but for what rpm/rpmlint.toml filters, each with its reason."""
    check([tool("rpmlint"), "--config", "rpm/rpmlint.toml", "xcpng-ceph-hci.spec"])


def test_vagrantfile():
    if shutil.which("vagrant") is None:
        pytest.skip("expected: vagrant is not installed, which only nested virtualisation needs")
    check(["vagrant", "validate"])
