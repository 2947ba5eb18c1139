"""A writer running in a host, and what is known of it: which blocks the storage has taken, and when."""

import subprocess
import threading
import time
import uuid
from pathlib import Path

from lab import enter
from lab.lab import MachineHandle

WRITER = Path(__file__).with_name("writer.py")
POLL = 0.1
STOP_DEADLINE = 60.0
CHECK_DEADLINE = 180.0


class Load:
    """Starts the writer at once. Fields are those of its acknowledged blocks."""

    def __init__(self, host: MachineHandle, device: str) -> None:
        self.run = uuid.uuid4().hex
        self.times: list[float] = []  # of block 0, 1, 2...
        self.order_is_right = True
        self._process = subprocess.Popen(
            host.argv([enter.PYTHON, str(WRITER), "write", device, self.run]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=enter.ENVIRONMENT,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, count: int, seconds: float, what: str) -> None:
        """Wait until ``count`` blocks are acknowledged. Raises AssertionError when the writer ends or time is over."""
        deadline = time.monotonic() + seconds
        while len(self.times) < count:
            if self._process.poll() is not None:
                raise AssertionError("the writer ended: %s" % self._errors())
            assert time.monotonic() < deadline, "%s: %d of %d blocks after %d s" % (
                what,
                len(self.times),
                count,
                seconds,
            )
            time.sleep(POLL)

    def stop(self) -> None:
        """Let it finish its block and end. Raises AssertionError when it had failed."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            code = self._process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            self.abandon()
            raise AssertionError("the writer does not end: its last block is not acknowledged") from None
        self._reader.join()
        assert code == 0, "the writer failed: %s" % self._errors()
        assert self.order_is_right, "the writer skipped a block"

    def abandon(self) -> None:
        """End it whatever it does."""
        self._process.kill()
        self._process.wait()

    @property
    def count(self) -> int:
        return len(self.times)

    def count_before(self, moment: float) -> int:
        """How many blocks were acknowledged by then."""
        return sum(1 for acknowledged in list(self.times) if acknowledged <= moment)

    @property
    def longest_pause(self) -> float:
        """Seconds between two acknowledgements that follow each other."""
        times = list(self.times)
        return max((later - earlier for earlier, later in zip(times, times[1:], strict=False)), default=0.0)

    def check(self, host: MachineHandle, device: str) -> None:
        """Compare every acknowledged block, as another host reads it. Raises AssertionError."""
        argv = [enter.PYTHON, str(WRITER), "check", device, self.run, str(self.count)]
        done = host.run(argv, timeout=CHECK_DEADLINE)
        assert done.returncode == 0, "%s: %s" % (host.name, done.stderr.strip())

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            number, moment = line.split()
            self.order_is_right &= int(number) == len(self.times)
            self.times.append(float(moment))

    def _errors(self) -> str:
        assert self._process.stderr is not None
        return self._process.stderr.read().strip()
