"""Hyperconverged Ceph for XCP-ng: the library behind the driver, the plugin and the node program.

Layers, from the ground up; a layer imports only what stands above it in this list:

ground        errors run version xmltext
decisions     deviceconfig entry layout sync plugintable ...   pure: no I/O, printable results
adapters      ceph/ xapi/ host/                                each with an in-memory twin
capabilities  storage/ node/ status preflight
faces         sm-driver/ xapi-plugins/ node/hci-node           thin entry points outside this package
"""
