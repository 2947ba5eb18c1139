"""A stand-in for blktap 3 (tap-ctl and tapdisk) on a kernel without its module.

ctl      the tap-ctl command: arguments, output and exit codes of the real one
devices  the kernel module's part: numbers, device nodes, /sys/class/blktap2
server   one tapdisk process, answering on a control socket
vbd      one disk in it: the states that tap-ctl list shows
fuse     the data path: requests in, requests out
keeper   holds the loop device that shows a disk's bytes as a block device
"""
