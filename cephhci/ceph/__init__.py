"""Adapters to a Ceph cluster: the ports, the real ones on librados and librbd, and their twin in memory."""
