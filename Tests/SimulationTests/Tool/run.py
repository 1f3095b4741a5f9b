#!/usr/bin/env python3
"""Compiles the simulator together with the hub as one optimised module and runs it; proves that it finds bugs.

    run.py [--seeds N] [--from N] [--steps N]   so many seeds (10,000) from the first, each with so many steps (200)
    run.py --seed N [--trace]                   one seed: the shortest history of it that fails; or all that happens
    run.py --faults [NAME...]                   the planted faults, all of them unless some are named
    run.py --quick                              what `./dev check` runs: a few hundred seeds and three of the faults,
                                                which ones the sources decide, in a build that is made sooner

A planted fault is a file in Tests/SimulationTests/Faults: what is wrong, within how many seeds it must be found, and
what to replace in which file. What is to be replaced must stand there exactly once, so a fault that the code has
outgrown says so. It is applied to a copy; the hub itself has no hooks for any of this.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / ".build" / "simulate"
FAULTS = ROOT / "Tests/SimulationTests/Faults"
DIRECTORIES = ["Sources/Wire", "Sources/ChatProtocol", "Sources/Chat", "Tests/ChatDoubles", "Tests/SimulationTests"]
OWN_IMPORT = re.compile(r"^(?:public |package |@testable )*import (?:Wire|ChatProtocol|ChatDoubles|Chat)$", re.M)
FLAGS = ["-enforce-exclusivity=unchecked", "-parse-as-library", "-swift-version", "6", "-enable-batch-mode"]
QUICK_SEEDS = range(1_000, 1_400)  # others than the unit tests'
QUICK_FAULTS = 3
FOUND = (3, 4)


def fail(text):
    sys.exit(f"simulate: {text}")


def sources():
    """The module's files by path; imports of our own modules mean nothing in one module."""
    paths = sorted(path for name in DIRECTORIES for path in (ROOT / name).rglob("*.swift"))
    files = [path for path in paths if not path.name.endswith("Tests.swift")]
    return {str(path.relative_to(ROOT)): OWN_IMPORT.sub("", path.read_text()) for path in files}


class Module:
    """A directory in which one variant of the module is compiled; only what has changed is compiled again."""

    def __init__(self, name, is_quick):
        self.directory = BUILD / (f"{name}-quick" if is_quick else name)
        self.program = self.directory / "simulate"
        self.flags = ["-Onone" if is_quick else "-O", *FLAGS]

    def build(self, files):
        staged = {name.replace("/", "-"): text for name, text in files.items()}
        key = hashlib.sha256(json.dumps([staged, self.flags, swift_version()]).encode()).hexdigest()
        stamp = self.directory / "key"
        if self.program.exists() and stamp.exists() and stamp.read_text() == key:
            return
        stamp.unlink(missing_ok=True)
        self.stage(staged)
        command = ["swiftc", *self.flags, "-incremental", "-module-name", "Simulation", f"-j{os.cpu_count()}"]
        command += ["-output-file-map", "map.json", *sorted(f"sources/{name}" for name in staged), "-o", "simulate"]
        done = subprocess.run(command, cwd=self.directory, capture_output=True, text=True)
        if done.returncode:
            fail(f"the module does not compile:\n{done.stdout}{done.stderr}")
        stamp.write_text(key)

    def stage(self, staged):
        folder = self.directory / "sources"
        folder.mkdir(parents=True, exist_ok=True)
        (self.directory / "objects").mkdir(exist_ok=True)
        for old in folder.iterdir():
            if old.name not in staged:
                old.unlink()
        for name, text in staged.items():
            path = folder / name
            if not path.exists() or path.read_text() != text:
                path.write_text(text)
        outputs = {"": {"swift-dependencies": "objects/module.swiftdeps"}}
        for name in staged:
            stem = f"objects/{name.removesuffix('.swift')}"
            outputs[f"sources/{name}"] = {"object": f"{stem}.o", "swift-dependencies": f"{stem}.swiftdeps"}
        (self.directory / "map.json").write_text(json.dumps(outputs))


def swift_version():
    return subprocess.run(["swiftc", "--version"], capture_output=True, text=True).stdout


class Fault:
    """A bug to be planted."""

    def __init__(self, path):
        self.name = path.stem
        head, *pieces = re.split(r"^file: (.*)\n<<<<\n", path.read_text(), flags=re.M)
        found = re.fullmatch(r"(.*)\nseeds: (\d+)\n", head, flags=re.S)
        if not found or not pieces:
            fail(f"{path}: a fault is a sentence, a line 'seeds: N', and 'file:' with what to replace")
        self.what, self.seeds = found[1], int(found[2])
        self.changes = []
        for file, change in zip(pieces[::2], pieces[1::2]):
            parts = re.fullmatch(r"(.*?)====\n(.*?)>>>>\n", change, flags=re.S)
            if not parts:
                fail(f"{path}: what to replace stands between '<<<<', '====' and '>>>>'")
            self.changes.append((file, parts[1], parts[2]))

    def plant(self, files):
        files = dict(files)
        for file, old, new in self.changes:
            count = files.get(file, "").count(old)
            if count != 1:
                fail(
                    f"the fault {self.name} is stale: what it replaces stands {count} times in {file}, not once. "
                    f"Renew {FAULTS.relative_to(ROOT)}/{self.name}.fault")
            files[file] = files[file].replace(old, new)
        return files


def all_faults(files):
    """All of them can be planted in the sources as they are, also those that are not asked for."""
    faults = [Fault(path) for path in sorted(FAULTS.glob("*.fault"))]
    for fault in faults:
        fault.plant(files)
    return faults


def run_faults(faults, files, is_quick=False):
    """Plants one fault after the other; each must be found within its seeds."""
    module = Module("fault", is_quick)
    if not module.directory.exists():
        shutil.copytree(Module("module", is_quick).directory, module.directory)
    missed = []
    for fault in faults:
        began = time.monotonic()
        module.build(fault.plant(files))
        compiled = time.monotonic()
        done = subprocess.run(
            [module.program, "--seeds", str(fault.seeds), "--until-found"], capture_output=True, text=True,
            env={**os.environ, "SWIFT_BACKTRACE": "enable=no"})
        line = next((line for line in reversed(done.stdout.splitlines()) if line.startswith("seed ")), "")
        where = f"{compiled - began:5.1f} s to compile, {time.monotonic() - compiled:5.1f} s to find"
        if done.returncode in FOUND:
            print(f"fault {fault.name:28} {line[:110]}; {where}", flush=True)
        else:
            missed.append(fault.name)
            print(f"fault {fault.name:28} NOT FOUND in {fault.seeds} seeds; {where}", flush=True)
    if missed:
        fail(f"planted and not found: {', '.join(missed)}. The simulator has become blind, or the fault harmless.")
    print(f"simulate: all {len(faults)} planted faults found", flush=True)


def some_faults(faults, files):
    """Others for other sources, so that in time each has its turn."""
    start = int(hashlib.sha256("".join(files.values()).encode()).hexdigest(), 16) % len(faults)
    return (faults + faults)[start : start + QUICK_FAULTS]


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--faults", nargs="*", metavar="NAME")
    options = parser.parse_args()
    files = sources()
    faults = all_faults(files)
    unknown = set(options.faults or []) - {fault.name for fault in faults}
    if unknown:
        fail(f"there is no fault {', '.join(unknown)}; there are: {', '.join(fault.name for fault in faults)}")
    module = Module("module", options.quick)
    print("simulate: compiling", file=sys.stderr, flush=True)
    module.build(files)
    if options.faults is not None:
        return run_faults([fault for fault in faults if not options.faults or fault.name in options.faults], files)
    first, count = (QUICK_SEEDS[0], len(QUICK_SEEDS)) if options.quick else (options.first, options.seeds)
    what = ["--from", str(first), "--seeds", str(count)] if options.seed is None else ["--seed", str(options.seed)]
    steps = ["--steps", str(options.steps)] if options.steps else []
    trace = ["--trace"] if options.trace else []
    done = subprocess.run([module.program, *what, *steps, *trace])
    if done.returncode:
        sys.exit(done.returncode)
    if options.quick:
        run_faults(some_faults(faults, files), files, is_quick=True)


if __name__ == "__main__":
    main()
