"""Xen Orchestra's client xen-api, installed from npm once."""

import os
import shutil
import subprocess
from pathlib import Path

MANIFEST = Path(__file__).parents[1] / "unit_lab" / "clients" / "package.json"
CACHE = Path(os.environ.get("HCI_TEST_CACHE", "/var/tmp/xcpng-ceph-hci-clients"))
SECONDS = 100


def modules() -> Path:
    """The folder below which node_modules holds what the clients' package.json asks for."""
    folder = CACHE / "xen-api"
    wanted = MANIFEST.read_text(encoding="utf-8")
    mark = folder / "installed.json"
    if not mark.exists() or mark.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copy(MANIFEST, folder)
        npm = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
        subprocess.run(npm, cwd=folder, check=True, timeout=SECONDS, stdout=subprocess.DEVNULL)
        mark.write_text(wanted, encoding="utf-8")
    return folder
