"""Version of the package; rewritten by `tito tag`."""

VERSION = "$version"
