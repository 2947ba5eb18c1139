"""Processes end within their deadline, and their text is UTF-8 without a locale."""

import sys
import time
from pathlib import Path

import pytest

from cephhci.errors import CommandFailed, CommandTimeout
from cephhci.run import run, spawn

ECHO = "import sys; sys.stdout.buffer.write(sys.argv[1].encode('utf-8', 'surrogateescape') + sys.stdin.buffer.read())"


def test_arguments_and_output_are_utf_8() -> None:
    out = run([sys.executable, "-c", ECHO, "b\u00fcro "], 30, "\u96fb\u8133".encode("utf-8"))
    assert out.decode("utf-8") == "b\u00fcro \u96fb\u8133"


def test_nothing_reaches_a_shell() -> None:
    assert run(["echo", "$HOME; `id`"], 30) == b"$HOME; `id`\n"


def test_a_failure_tells_the_program_and_its_words_but_not_its_arguments() -> None:
    with pytest.raises(CommandFailed) as caught:
        run(["sh", "-c", "echo no such \u00fc >&2; exit 3", "AQsecret=="], 30)
    assert str(caught.value) == "sh failed (exit code 3): no such \u00fc"
    assert not isinstance(caught.value, CommandTimeout)


def test_what_cannot_be_started() -> None:
    with pytest.raises(CommandFailed) as caught:
        run(["/nowhere/rbd"], 30)
    assert "rbd failed (not started)" in str(caught.value)


@pytest.mark.parametrize("script", ["sleep 60", "sleep 60 & sleep 60", "trap '' TERM; sleep 60 & wait"])
def test_a_deadline_holds_whoever_keeps_the_pipes(script: str) -> None:
    started = time.monotonic()
    with pytest.raises(CommandTimeout) as caught:
        run(["sh", "-c", script], 0.3)
    assert time.monotonic() - started < 10
    assert "sh did not end within 0.3 s" in str(caught.value)


def test_a_daemon_writes_to_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for word in ("one", "two"):
        assert spawn(["sh", "-c", "echo %s; echo %s >&2" % (word, word)], str(log)).wait(30) == 0
    assert log.read_text(encoding="utf-8") == "one\none\ntwo\ntwo\n"
