"""Adapters to this host: who it is, and how images become devices on it."""
