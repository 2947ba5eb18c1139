"""The mapper `fuse`, for machines whose kernel has neither rbd nor nbd.

command    the mapper protocol: one JSON request, one JSON reply
maps       what is mapped, in one folder per map under /run
daemon     qemu-storage-daemon, which opens the image by librbd and shows it as a file
"""
