"""Adapters to XAPI."""
