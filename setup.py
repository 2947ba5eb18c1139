"""The library for setuptools; the RPM is made by xcpng-ceph-hci.spec, which calls this."""

from setuptools import find_packages, setup

setup(
    name="xcpng-ceph-hci",
    # On a line of its own, because `tito tag` rewrites it.
    version="0.1.0",
    description="Hyperconverged Ceph for XCP-ng: storage driver, host plugin and node program",
    license="LGPL-2.1-or-later",
    packages=find_packages(include=["cephhci", "cephhci.*"]),
    python_requires=">=3.6",
)
