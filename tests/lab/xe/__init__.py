"""The lab's ``xe``: the grammar, output and errors of the real one, over the public API."""
