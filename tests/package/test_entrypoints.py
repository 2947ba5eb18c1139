"""What the package installed, started as XAPI starts it: an empty environment, and dom0's Python 3.6."""

import shutil
import xmlrpc.client
from pathlib import Path

import pytest
import XenAPI

from package.build import ROOT

pytestmark = pytest.mark.package

# Bindings for Python 3.6 exist for el7 only. Here their names are enough: nothing connects.
BINDINGS = '''\
"""Has every name, each of them an exception class of its own."""

import sys
import types


class Names(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        setattr(self, name, type(name, (Exception,), {}))
        return self.__dict__[name]


sys.modules[__name__] = Names(__name__)
'''
INVENTORY = """\
INSTALLATION_UUID='5f3e7c1a-0d5b-4d7e-9a53-1c6f0f2b8a11'
CONTROL_DOMAIN_UUID='0b8f6d2e-6c1d-4f0b-8f7e-2d3c4b5a6978'
"""


@pytest.fixture
def dressed(host):
    """The host with SM, XAPI's Python modules and the names of the Ceph bindings."""
    sm = host.path / "opt/xensource/sm"
    for path in (ROOT / "tests/sm").glob("*"):
        if path.suffix == ".py" or "." not in path.name and path.is_file():
            shutil.copy(path, sm)
    modules = host.path / "usr/lib/python3.6/site-packages"
    shutil.copy(Path(XenAPI.__file__).with_name("XenAPI.py"), modules)
    shutil.copy(ROOT / "tests/sm/dom0/XenAPIPlugin.py", modules)
    for name in ("rados.py", "rbd.py"):
        (modules / name).write_text(BINDINGS, encoding="ascii")
    (host.path / "etc/xensource-inventory").write_text(INVENTORY, encoding="ascii")
    return host


def call(host, program, method, *params):
    """One call as XAPI makes it: the request is the only argument, the reply all of stdout."""
    result = host.run(program, xmlrpc.client.dumps(params, method))
    assert result.returncode == 0, result.stdout
    try:
        return xmlrpc.client.loads(result.stdout)[0][0]
    except xmlrpc.client.Error:
        raise
    except Exception as error:
        raise AssertionError(result.stdout) from error


def test_the_driver_introduces_itself(dressed):
    request = {"command": "sr_get_driver_info", "args": [], "host_ref": "OpaqueRef:h", "device_config": {}}
    info = call(dressed, "/opt/xensource/sm/CephSR", "sr_get_driver_info", request)
    assert {"name", "vendor", "driver_version", "required_api_version", "configuration"} <= set(info)
    assert "VDI_CREATE" in info["capabilities"]
    assert info["required_api_version"] == "1.0"


def test_the_plugin_answers(dressed):
    reply = call(dressed, "/etc/xapi.d/plugins/hci", "help", "OpaqueRef:s", {})
    assert reply["Status"] == "Success", reply
    assert "preflight" in reply["Value"]


@pytest.mark.parametrize(
    "function, arguments",
    [("no-such-function", {}), ("version", {"no-such": "argument"}), ("version", {"no-such": "é"})],
)
def test_the_plugin_refuses_in_words(dressed, function, arguments):
    reply = call(dressed, "/etc/xapi.d/plugins/hci", function, "OpaqueRef:s", arguments)
    assert reply["Status"] == "Failure"
    assert "Traceback" not in str(reply)


def test_the_fragment_program_runs_again_without_a_word(host):
    result = host.run("/usr/libexec/xcpng-ceph-hci/sm-plugins-update")
    assert (result.returncode, result.stdout) == (0, "")
