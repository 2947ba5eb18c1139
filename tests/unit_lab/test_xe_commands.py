"""``xe``: its grammar, what it prints, and what it says when it refuses. Texts as the real program has them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from acting_pool import Pool, point_paths, running
from xapi_pool import PASSWORD

from lab.xe import main
from lab.xe.cmdline import CliFailure, SyntaxFault, parse, to_bytes
from lab.xe.main import api_error
from lab.xe.printer import aligned


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("xe")
        point_paths(patch, root)
        yield root


@pytest.fixture
def pool(folder: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Pool]:
    with running(folder, capsys) as started:
        yield started


def test_grammar() -> None:
    command = parse(["sr-create", "type=ceph", "device-config:a=b=c", "--minimal", "-u", "root", "x"])
    assert command.verb == "sr-create"
    assert command.text("type") == "ceph"
    assert command.mapping("device-config") == {"a": "b=c"}
    assert command.flag("minimal")
    assert (command.text("username"), command.text("x", "none")) == ("root", "")
    assert parse(["-s", "h", "-pw", "p", "host-list"]).text("server") == "h"
    for words in ([], ["uuid=1"], ["host-list", "-z", "1"], ["host-list", "-u"]):
        with pytest.raises(SyntaxFault):
            parse(words)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("12345", 12345),
        ("8MiB", 8 << 20),
        ("1GB", 1 << 30),
        ("2 TiB", 2 << 40),
        ("5k", 5120),
        ("7 bytes", 7),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert to_bytes("virtual-size", text) == size


@pytest.mark.parametrize("text", ["", "-1", "GiB", "1 XB", "1.5GiB"])
def test_bad_sizes(text: str) -> None:
    with pytest.raises(CliFailure, match="Failed to parse field 'virtual-size': expecting an integer"):
        to_bytes("virtual-size", text)


def test_records_are_aligned() -> None:
    assert aligned([("uuid ( RO)", "1"), ("name-label ( RW)", "a")]) == (
        "uuid ( RO)          : 1\n    name-label ( RW): a\n"
    )


def test_errors() -> None:
    assert api_error(["SR_BACKEND_FAILURE_47", "", "text", ""], str) == (
        "Error code: SR_BACKEND_FAILURE_47\nError parameters: , text, "
    )
    assert api_error(["VDI_IN_USE"], str).splitlines()[1:] == ["vdi: <unknown>", "operation: <unknown>"]
    assert api_error(["SR_NOT_EMPTY", "x"], str).splitlines()[1:] == ["<extra>: x"]


def test_usage(pool: Pool) -> None:
    assert pool.refused("nonsense") == "Unknown command: nonsense\nFor usage run: 'xe help'\n"
    error = pool.refused("sr-create", "name-label=x")
    assert error == "Required parameter not found: type\nFor usage run: 'xe help'\n"


def test_logging_in(pool: Pool, capsys: pytest.CaptureFixture[str]) -> None:
    host = pool.hosts[0]
    server = ["-s", host.address, "-p", str(host.port)]
    assert main.run([*server, "-u", "root", "-pw", "wrong", "host-list"]) == 1
    assert capsys.readouterr().err == "Authentication failed\nFor usage run: 'xe help'\n"
    assert main.run([*server, "host-list"]) == 1
    assert capsys.readouterr().err.startswith("Username/password must be specified\n")
    assert main.run(["-s", "127.0.0.9", "-p", "9", "-u", "root", "-pw", PASSWORD, "host-list"]) == 1
    assert capsys.readouterr().err.startswith("Error: Connection refused")


def test_lists(pool: Pool) -> None:
    uuid = pool.hosts[0].uuid
    shown = pool.xe("host-list")
    assert shown.splitlines() == [
        f"uuid ( RO)                : {uuid}",
        "          name-label ( RW): host1",
        "    name-description ( RW): Default install",
    ]
    assert pool.xe("host-list", "--minimal") == uuid
    assert pool.xe("host-list", "name-label=other", "--minimal") == ""
    assert pool.xe("host-list", "params=address,hostname", "--minimal") == "host1"
    assert pool.refused("host-list", "nonsense=1") == "Error: Unknown field 'nonsense'\n"
    everything = pool.xe("pool-list", "params=all")
    assert "other-config (MRW)" in everything
    assert "allowed-operations (SRO)" in everything


def test_parameters(pool: Pool) -> None:
    uuid = f"uuid={pool.xe('pool-list', '--minimal')}"
    pool.xe("pool-param-set", uuid, "other-config:hci=1", "name-label=lab")
    assert pool.xe("pool-param-get", uuid, "param-name=other-config", "param-key=hci") == "1"
    assert pool.xe("pool-list", "other-config:hci=1", "params=name-label", "--minimal") == "lab"
    assert pool.xe("pool-list", "other-config:hci=2", "--minimal") == ""
    pool.xe("pool-param-set", uuid, "other-config:hci=2")
    pool.xe("pool-param-remove", uuid, "param-name=other-config", "param-key=hci")
    error = pool.refused("pool-param-remove", uuid, "param-name=other-config", "param-key=hci")
    assert error == "Error: Key hci is not in map\n"
    error = pool.refused("pool-param-get", uuid, "param-name=other-config", "param-key=hci")
    assert error == "Error: Key hci not found in map\n"
    pool.xe("pool-param-add", uuid, "param-name=tags", "param-key=a,b")
    assert pool.xe("pool-param-get", uuid, "param-name=tags", "--minimal") == "a\\,b"
    assert pool.xe("pool-list", "tags:contains=a,b", "params=name-label", "--minimal") == "lab"
    pool.xe("pool-param-clear", uuid, "param-name=tags")
    assert pool.xe("pool-param-get", uuid, "param-name=tags") == ""
    assert pool.refused("pool-param-set", uuid, "master=x") == "Error: Field 'master' is read-only.\n"
    assert pool.refused("pool-param-get", uuid, "param-name=nope").splitlines() == [
        "Error code: Missing parameter",
        "Error parameters: nope",
    ]
    assert pool.xe("pool-param-get", uuid, "param-name=master") == pool.hosts[0].uuid


def test_unknown_uuid(pool: Pool) -> None:
    assert pool.refused("sr-param-list", "uuid=nope").splitlines() == [
        "The uuid you supplied was invalid.",
        "type: SR",
        "uuid: nope",
    ]


def test_secrets_and_messages(pool: Pool) -> None:
    uuid = pool.xe("secret-create", "value=x")
    assert pool.xe("secret-list", f"uuid={uuid}", "params=value", "--minimal") == "x"
    pool.xe("secret-destroy", f"uuid={uuid}")
    host = pool.hosts[0].uuid
    pool.xe("message-create", f"host-uuid={host}", "name=ALARM", "priority=3", "body=b")
    assert pool.xe("message-list", "name=ALARM", "params=body", "--minimal") == "b"
    assert pool.refused("message-create", "name=A", "priority=x", "body=b") == (
        "Error: Priority field should be an integer\n"
    )
