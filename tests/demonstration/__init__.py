"""The demonstration: one story about an SR on Ceph, told on the terminal while it happens.

main       the command: arguments, installation, the end whatever happens
journal    steps with their seconds, and the table at the end
story      the steps
pool       what the story asks of the lab: health, space
image      the input: a root file system made of Debian packages, or the user's file
transfer   moves the input through a host's block device
load       a writer in a host, watched from outside
writer     the writer itself, and the check of what it wrote; runs inside hosts
logs       keeps the logs of a lab whose story failed
"""
