"""A simulated XAPI: one generic object database and the calls that act on it.

Its yardstick is what a real xapi 26.1.3 (the one XCP-ng 8.3 packages) was seen to do: see ``recordings``.
"""
