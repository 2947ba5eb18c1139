"""The dependency rule: who may import what, and which modules may touch the world."""

import ast
from pathlib import Path

import pytest
from sources import ROOT, below, python_files, text

GROUND = {"errors", "run", "version", "xmltext", "config", "clock", "model"}
ADAPTERS = {"ceph", "xapi", "host"}
ROOMS = {"storage", "node"}  # capabilities; a room does not look into another one
SURFACES = {"clusters", "hostfacts", "status", "preflight", "plugin"}  # what the faces call: may use every capability

# Modules that only one place may import, and that place.
DOORS = {
    "subprocess": ("cephhci/run.py",),
    "rados": ("cephhci/ceph/",),
    "rbd": ("cephhci/ceph/",),
    "XenAPI": ("cephhci/xapi/", "sm-driver/"),  # the driver is handed a session and its failures
    "XenAPIPlugin": ("xapi-plugins/",),
    "SR": ("sm-driver/",),
    "VDI": ("sm-driver/",),
    "SRCommand": ("sm-driver/",),
    "blktap2": ("sm-driver/",),
    "util": ("sm-driver/",),
    "xs_errors": ("sm-driver/",),
}
# A decision gets everything as an argument: no reading, writing, waiting, dice or clock.
IMPURE_MODULES = {
    "fcntl", "io", "logging", "os", "pathlib", "random", "select", "shutil", "signal", "socket", "subprocess",
    "sys", "syslog", "tempfile", "threading", "time", "urllib",
}  # fmt: skip
IMPURE_CALLS = {"open", "print", "input", "exec", "eval"}
PRODUCT_FILES = below(python_files(), "cephhci", "sm-driver", "xapi-plugins", "node", "rpm")


def imports(path):
    """(line, dotted name) of everything that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(text(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "%s:%d: imports are absolute" % (path, node.lineno)
            for alias in node.names:
                yield node.lineno, "%s.%s" % (node.module, alias.name)


def room(parts):
    """The first name below cephhci: a room or a module."""
    return parts[0][:-3] if parts[0].endswith(".py") else parts[0]


def rank(name):
    if name in GROUND:
        return 0
    if name in ADAPTERS:
        return 2
    if name in ROOMS:
        return 3
    if name in SURFACES:
        return 4
    return 1  # a decision


def may_import(importer, imported):
    """Lower layers, and the own layer where it is one layer: ground, decisions and surfaces."""
    if importer == imported:
        return True
    if rank(importer) == rank(imported):
        return rank(importer) in (0, 1, 4)
    return rank(imported) < rank(importer)


@pytest.mark.parametrize("path", PRODUCT_FILES, ids=str)
def test_guarded_modules_have_one_door(path):
    for line, name in imports(path):
        doors = DOORS.get(name.split(".")[0])
        if doors is not None:
            assert str(path).startswith(doors), "%s:%d imports %s; only %s may" % (path, line, name, doors)


LIBRARY = [path for path in below(PRODUCT_FILES, "cephhci") if path != Path("cephhci/__init__.py")]


@pytest.mark.parametrize("path", LIBRARY, ids=str)
def test_layers_import_downwards(path):
    importer = room(path.parts[1:])
    for line, name in imports(path):
        parts = name.split(".")
        if parts[0] != "cephhci":
            continue
        imported = room(parts[1:])
        assert may_import(importer, imported), "%s:%d imports %s" % (path, line, name)


def decisions():
    return [path for path in LIBRARY if len(path.parts) == 2 and rank(room(path.parts[1:])) == 1]


@pytest.mark.parametrize("path", decisions(), ids=str)
def test_decisions_are_pure(path):
    for line, name in imports(path):
        assert name.split(".")[0] not in IMPURE_MODULES, "%s:%d: a decision imports %s" % (path, line, name)
    for node in ast.walk(ast.parse(text(path))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called = node.func.id
            assert called not in IMPURE_CALLS, "%s:%d: a decision calls %s" % (path, node.lineno, called)


@pytest.mark.parametrize("path", PRODUCT_FILES, ids=str)
def test_modules_and_functions_stay_small(path):
    """At most 400 lines a module and 50 lines a function."""
    source = text(path)
    assert source.count("\n") <= 400, "%s has %d lines" % (path, source.count("\n"))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            length = max(getattr(child, "lineno", 0) for child in ast.walk(node)) - node.lineno + 1
            assert length <= 50, "%s:%d: %s has %d lines" % (path, node.lineno, node.name, length)


def broad(handler):
    names = [node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)] if handler.type else []
    return handler.type is None or "Exception" in names or "BaseException" in names


@pytest.mark.parametrize("path", PRODUCT_FILES, ids=str)
def test_a_broad_except_says_why(path):
    lines = text(path).splitlines()
    for node in ast.walk(ast.parse(text(path))):
        if isinstance(node, ast.ExceptHandler) and broad(node):
            around = lines[node.lineno - 2 : node.lineno + 1]
            assert any("#" in line for line in around), "%s:%d: a broad except without its reason" % (
                path,
                node.lineno,
            )


@pytest.mark.parametrize("path", PRODUCT_FILES, ids=str)
def test_files_are_opened_with_an_encoding(path):
    """Under XAPI Python 3.6 runs without a locale, and text without an encoding is ASCII."""
    for node in ast.walk(ast.parse(text(path))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"):
            continue
        mode = node.args[1] if len(node.args) > 1 else None
        binary = mode is not None and "b" in str(getattr(mode, "value", getattr(mode, "s", "")))
        named = any(keyword.arg == "encoding" for keyword in node.keywords)
        assert binary or named, "%s:%d: open() without an encoding" % (path, node.lineno)


def test_the_rule_sees_the_library():
    assert (ROOT / "cephhci").is_dir()
    assert any(path == Path("cephhci/run.py") for path in LIBRARY)
