"""`python -m hooks`: serve with a settings file and the environment. The `psychmed serve` command does the same."""

from __future__ import annotations

import argparse
import functools
import sys
from pathlib import Path
from typing import Any

from cds.errors import CdsError
from cds.settings import load_settings
from hooks.serve import serve


def main(arguments: list[str] | None = None) -> int:
    """Serve until stopped; 1 when the service cannot start."""
    parser = argparse.ArgumentParser(prog="python -m hooks", description="The CDS Hooks service.")
    parser.add_argument("--settings", type=Path, help="site.yaml; without it PSYCHMED_SETTINGS and the environment")
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", type=int, help="port to listen on; 0 takes a free one")
    parser.add_argument("--insecure", action="store_true", help="answer everyone, without JWT, beyond loopback too")
    chosen = parser.parse_args(arguments)
    given: dict[str, Any] = {name: value for name in ("host", "port") if (value := getattr(chosen, name)) is not None}
    try:
        load = functools.partial(load_settings, chosen.settings, **given)
        serve(load(), load, insecure=chosen.insecure)
    except CdsError as error:
        print(f"psychmed cannot start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
