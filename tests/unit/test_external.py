"""Mappers that are programs."""

from pathlib import Path

import pytest

from cephhci.errors import InvalidArgument, MappingFailed
from cephhci.host.external import ExternalMapper, mapper
from cephhci.host.krbd import Krbd
from cephhci.host.mapper import Mapping, Source
from cephhci.target import Target

PROGRAM = """#!/bin/sh
cat > "$0.$1.request"
echo "$*" >> "$0.argv"
case $1 in
features) echo '{"features": ["layering", "exclusive-lock"]}' ;;
map) echo '{"device": "/run/x", "client": "10.0.0.1:0/7"}' ;;
list)
    image='"pool": "p", "namespace": "n", "image": "i", "read_only": true'
    echo "{\\"maps\\": [{\\"device\\": \\"/run/x\\", \\"snapshot\\": \\"\\", $image},"
    echo "{\\"device\\": \\"/run/y\\", \\"snapshot\\": \\"s\\", $image}]}" ;;
unmap) echo "the device is busy" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "loop"
    path.write_text(PROGRAM, encoding="utf-8")
    path.chmod(0o755)
    return path


def test_names(tmp_path: Path, program: Path) -> None:
    assert isinstance(mapper("krbd", str(tmp_path)), Krbd)
    assert isinstance(mapper("loop", str(tmp_path)), ExternalMapper)
    with pytest.raises(InvalidArgument) as caught:
        mapper("nothing", str(tmp_path))
    assert str(tmp_path / "nothing") in caught.value.advice


def test_the_protocol(program: Path) -> None:
    loop = ExternalMapper(str(program))
    assert loop.features() == ("exclusive-lock", "layering")
    source = Source("p", "n", "b\u00fcro", "")
    target = Target("xcp", "", "10.0.0.1", "AQsecret==")
    assert loop.map(target, source, read_only=True) == Mapping(source, "/run/x", True, "10.0.0.1:0/7")
    assert loop.mappings() == [
        Mapping(Source("p", "n", "i", ""), "/run/x", True, ""),
        Mapping(Source("p", "n", "i", "s"), "/run/y", True, ""),
    ]
    assert "AQsecret" not in (program.parent / "loop.argv").read_text(encoding="utf-8")
    assert "AQsecret" in (program.parent / "loop.map.request").read_text(encoding="utf-8")


def test_a_failure_is_told(program: Path) -> None:
    with pytest.raises(MappingFailed) as caught:
        ExternalMapper(str(program)).unmap("/run/x")
    assert "the device is busy" in str(caught.value)


@pytest.mark.parametrize("reply", ["", "no", "[]", "{}"])
def test_a_reply_that_makes_no_sense(tmp_path: Path, reply: str) -> None:
    path = tmp_path / "odd"
    path.write_text("#!/bin/sh\ncat > /dev/null\necho '%s'\n" % reply, encoding="utf-8")
    path.chmod(0o755)
    with pytest.raises(MappingFailed):
        ExternalMapper(str(path)).features()
    with pytest.raises(MappingFailed):
        ExternalMapper(str(path)).map(Target("u", "", "m", ""), Source("p", "", "i", ""), read_only=False)
