"""Version of the package; rewritten by `tito tag`."""

VERSION = "0.1.0"
