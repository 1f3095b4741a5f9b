#!/usr/bin/env python3
"""Counts the instructions that reading costs, of every case of CostCase.swift with every nasty part.

    run.py [--factor N] [CASE...]    inputs N times (4) as long as in the unit tests; cases whose names contain a word

The unit tests measure the same as CPU time of a debug build; here an optimised build runs under Valgrind, which counts,
so the answer is the same on every machine. Four times the bytes may cost six times the instructions at most; the square
would be sixteen.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "Tests/Fuzz"))
import run as fuzz  # noqa: E402  (it lists what reads strangers' bytes)

BUILD = ROOT / ".build" / "costs"
OURS = [ROOT / "Tests/CostTests" / name for name in ("Nasty.swift", "CostCase.swift", "Tool/Costs.swift")]
# The function `measured` by its mangled name; each call of it is counted by itself.
FUNCTION = "$s5Costs8measuredyyF"
RATIO_MAX = 6
# Below so many instructions, what does not grow with the input is most of it.
COUNT_MIN = 20_000


def build():
    sources = [path for path in fuzz.SOURCES if path.parent != fuzz.HERE] + OURS
    copies = BUILD / "sources"
    copies.mkdir(parents=True, exist_ok=True)
    for old in copies.iterdir():
        old.unlink()
    for path in sources:
        (copies / str(path.relative_to(ROOT)).replace("/", "-")).write_text(fuzz.OWN_IMPORT.sub("", path.read_text()))
    command = ["swiftc", "-O", "-wmo", "-num-threads", "2", "-parse-as-library", "-swift-version", "6",
               "-suppress-warnings", "-module-name", "Costs", *sorted(copies.glob("*.swift")), "-o", BUILD / "costs"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=BUILD)
    if done.returncode:
        sys.exit(f"costs: the cases do not compile:\n{done.stdout}{done.stderr}")


def count(number, factor):
    """The instructions of one case: for each nasty part those of the small and of the large input."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", f"--toggle-collect={FUNCTION}",
             f"--dump-after={FUNCTION}", BUILD / "costs", str(number), str(factor)],
            capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"costs: Valgrind failed:\n{done.stderr[-2000:]}")
        names = done.stdout.split()
        dumps = [pathlib.Path(folder, f"out.{number}").read_text() for number in range(1, 2 * len(names) + 1)]
        counts = [int(re.search(r"^(?:totals|summary): (\d+)", dump, re.M)[1]) for dump in dumps]
        return list(zip(names, counts[::2], counts[1::2]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="CASE")
    parser.add_argument("--factor", type=int, default=4)
    options = parser.parse_args()
    build()
    cases = subprocess.run([BUILD / "costs"], capture_output=True, text=True, check=True).stdout.splitlines()
    wanted = [(number, name) for number, name in enumerate(cases)
              if not options.words or any(word in name for word in options.words)]
    failures = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for (_, name), costs in zip(wanted, pool.map(lambda case: count(case[0], options.factor), wanted)):
            ratios = [(large / max(small, COUNT_MIN), nasty, large) for nasty, small, large in costs]
            ratio, nasty, _ = max(ratios)
            most = max(large for _, _, large in ratios)
            print(f"{name}: at most {most / 1e6:.1f} million instructions, {ratio:.1f} times ({nasty})", flush=True)
            for ratio, nasty, _ in ratios:
                if ratio > RATIO_MAX:
                    failures += 1
                    print(f"costs: {name}, {nasty}: {ratio:.1f} times for four times the bytes", file=sys.stderr)
    if failures:
        sys.exit(f"costs: {failures} of them cost more than linear time")


if __name__ == "__main__":
    main()
