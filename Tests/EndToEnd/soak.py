"""Long attacks on the promises, with progress and a table at the end: `./dev soak`. Short ones run as test_soak.py."""

import argparse
import functools
import pathlib
import sys
import tempfile
import time

from cancel_soak import CancelSoak
from kill_soak import KillSoak


def table(rows):
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name:<{width}}  {value:,}" if isinstance(value, int) else f"  {name:<{width}}  {value}"
                     for name, value in rows)


def run(title, soak):
    """Prints what was counted; returns whether nothing is there that must not be."""
    began = time.monotonic()
    rows, faults = soak.run()
    print(f"\n{title}, {time.monotonic() - began:.0f} s\n{table(rows)}")
    print(f"\nwhat must not be\n{table(list(faults.items()))}", flush=True)
    for violation in soak.log.violations[:20]:
        print(f"  {violation}")
    return not any(faults.values())


def main():
    parser = argparse.ArgumentParser(prog="./dev soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="kills with SIGKILL under load (100)")
    parser.add_argument("--streams", type=int, default=200, help="streams at a time, for the kills (200)")
    parser.add_argument("--watchers", type=int, default=500, help="watchers, for the kills (500)")
    parser.add_argument("--cancels", type=int, default=1000, help="cancels under 100 streams (1,000)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 100_000, help="chooses the moments (the time)")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    say = functools.partial(print, flush=True)
    is_well = True
    with tempfile.TemporaryDirectory(prefix="hubbub-soak-") as directory:
        directory = pathlib.Path(directory)
        if options.kills:
            is_well &= run("kills", KillSoak(
                directory / "kills", options.kills, options.streams, options.watchers, options.seed, say))
        if options.cancels:
            is_well &= run("cancels", CancelSoak(
                directory / "cancels", options.cancels, seed=options.seed, report=say, is_timed=True))
    sys.exit(0 if is_well else 1)


if __name__ == "__main__":
    main()
