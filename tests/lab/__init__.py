"""A laboratory on one machine: simulated XCP-ng hosts and real Ceph nodes, each in namespaces of its own.

envfile                              what a lab consists of (pure)
lab cli                              outside: the Python interface and the command
state syscalls labinit enter         outside and inside: the life of one lab
machine machineinit rootfs network   one machine: its processes, its files, its cables
host hostinstall node                what makes a machine a host or a Ceph node
bringup cluster pool                 what `lab up` does once machines exist
dom0/ xapi/                          stand-ins that live inside a host
"""
