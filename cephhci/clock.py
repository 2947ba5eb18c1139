"""The one seam for time."""

import time


class Clock:
    """Real time; tests pass a twin whose ``sleep`` advances ``now``."""

    def now(self) -> float:
        """Seconds on a clock that never jumps."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        time.sleep(seconds)
