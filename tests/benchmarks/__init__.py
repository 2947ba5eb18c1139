"""Measurements, never tests: the product beside a baseline, in the same run, on the same cluster, in the same host.

outside   cli rows ground: brings up a lab with an SR, has the first host measure, prints
in host1  worker, started by the outside; scan disks (the benchmarks), site fill driver programs measure; profile trace
"""
