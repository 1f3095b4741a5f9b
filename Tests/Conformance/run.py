"""Runs the public Autobahn test suite against /ws/echo of the real binary, and sums up by section.

Called by `./dev conformance`. The suite needs CPython 2.7; Tests/EndToEnd/test_websocket.py covers the same rules of
RFC 6455 with the project's own cases and needs none.
"""

import argparse
import collections
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "Tests/Conformance"
BUILD = ROOT / ".build/conformance"
# 11 does not exist, 12 and 13 are about compression.
SECTIONS = [*range(1, 8), 9, 10]
QUICK = [section for section in SECTIONS if section != 9]
# The largest message of section 9 has 16 MiB.
LIMITS = {"limits": {"web_socket_message_bytes_max": 16 << 20}}
GOOD = ("OK", "INFORMATIONAL", "NON-STRICT", "UNIMPLEMENTED")
NO_PYTHON = """\
dev: the Autobahn test suite runs on CPython 2.7 with pip only, and there is none here.
dev: Put a python2.7 into PATH or name it in PYTHON27 (pyenv has it: pyenv install 2.7.18), then try again.
dev: Tests/EndToEnd/test_websocket.py tests the same rules without it."""


def python27():
    """A CPython 2.7 that has pip, or None."""
    named = os.environ.get("PYTHON27")
    candidates = [named] if named else ["python2.7", "python2", *pyenv()]
    for candidate in candidates:
        question = "import sys, pip; sys.exit(sys.version_info[:2] != (2, 7))"
        try:
            done = subprocess.run([candidate, "-c", question], capture_output=True)
        except OSError:
            continue
        if done.returncode == 0:
            return candidate
    return None


def pyenv():
    """The 2.7 versions that pyenv keeps without putting them into PATH."""
    if not shutil.which("pyenv"):
        return []
    root = subprocess.run(["pyenv", "root"], capture_output=True, text=True).stdout.strip()
    return sorted(map(str, pathlib.Path(root).glob("versions/2.7*/bin/python2.7")))


def install(python):
    """The pinned packages in a folder of their own, made anew when a pin changes."""
    requirements = HERE / "requirements.txt"
    digest = hashlib.sha256(requirements.read_bytes() + python.encode()).hexdigest()[:16]
    packages = BUILD / f"packages-{digest}"
    if packages.exists():
        return packages
    print("Installing the Autobahn test suite", flush=True)
    for old in BUILD.glob("packages-*"):
        shutil.rmtree(old)
    fresh = BUILD / "packages-new"
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-warn-script-location",
               "--target", fresh, "--requirement", requirements]
    quiet = os.environ | {"PYTHONWARNINGS": "ignore"}
    if subprocess.run(command, env=quiet).returncode:
        sys.exit("dev: pip could not install the packages above.\ndev: Check the network, then try again.")
    fresh.rename(packages)
    return packages


class Hub:
    """The binary with its echo, on a free port, with its data in a folder that goes with it."""

    def __init__(self, binary):
        self.folder = tempfile.TemporaryDirectory()
        config = pathlib.Path(self.folder.name) / "config.json"
        config.write_text(json.dumps(LIMITS))
        self.process = subprocess.Popen(
            [binary, "serve", "--port", "0", "--diagnostics", "--config", config, "--data", self.folder.name + "/data"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on http"):
            sys.exit("dev: the hub did not start.")
        self.echo = line.removeprefix("listening on ").strip().replace("http", "ws", 1) + "/ws/echo"

    def stop(self):
        self.process.terminate()
        code = self.process.wait(30)
        self.folder.cleanup()
        return code


def run_suite(python, packages, echo, sections):
    """Every case of the sections; returns Autobahn's index of them."""
    report = BUILD / "report"
    shutil.rmtree(report, ignore_errors=True)
    specification = BUILD / "specification.json"
    specification.write_text(json.dumps({
        "outdir": str(report), "servers": [{"agent": "hubbub", "url": echo}],
        "cases": [f"{section}.*" for section in sections], "exclude-cases": [], "exclude-agent-cases": {}}))
    log = BUILD / "wstest.log"
    with open(log, "w") as output:
        process = subprocess.Popen(
            [python, HERE / "wstest.py", "-m", "fuzzingclient", "-s", specification], stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT, env=os.environ | {"AUTOBAHN_PACKAGES": str(packages)}, cwd=BUILD)
    next_word = time.monotonic() + 10
    while process.poll() is None:
        time.sleep(0.1)
        if time.monotonic() > next_word:
            next_word += 10
            print(f"  {log.read_text().count('Running test case ID')} cases begun", flush=True)
    index = report / "index.json"
    if process.returncode or not index.exists():
        sys.exit(f"dev: wstest failed; the log is {log}.\n" + "\n".join(log.read_text().splitlines()[-20:]))
    return json.loads(index.read_text())["hubbub"]


def summarize(cases, sections):
    """Prints a line for each section and each case that failed; returns the exit code."""
    failed = {name: case for name, case in cases.items()
              if case["behavior"] not in GOOD or case["behaviorClose"] not in GOOD}
    kinds = ["OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "FAILED"]
    print(f"{'section':<8}" + "".join(f"{kind.lower():>15}" for kind in kinds))
    rows = [(str(section), lambda name, section=section: name.split(".")[0] == str(section)) for section in sections]
    for label, is_in in [*rows, ("all", lambda name: True)]:
        counts = collections.Counter(
            "FAILED" if name in failed else case["behavior"] for name, case in cases.items() if is_in(name))
        print(f"{label:<8}" + "".join(f"{counts[kind]:>15}" for kind in kinds))
    for name, case in sorted(failed.items()):
        print(f"{name}: {case['behavior']}, close {case['behaviorClose']}; {BUILD}/report/{case['reportfile']}")
    without = [section for section in sections if not any(name.startswith(f"{section}.") for name in cases)]
    if without:
        print(f"no case was run of: {without}")
    return 1 if failed or without else 0


def main():
    parser = argparse.ArgumentParser(prog="dev conformance")
    parser.add_argument("sections", nargs="*", type=int, metavar="SECTION",
                        help="Autobahn's sections: " + " ".join(map(str, SECTIONS)))
    parser.add_argument("--quick", action="store_true", help="without section 9, whose messages are large")
    parser.add_argument("--if-possible", action="store_true", help="without CPython 2.7 only say so")
    parser.add_argument("--hub", type=pathlib.Path, default=ROOT / ".build/release/hubbub", help="the binary")
    asked = parser.parse_args()
    if any(section not in SECTIONS for section in asked.sections):
        parser.error("SECTION must be one of: " + " ".join(map(str, SECTIONS)))
    BUILD.mkdir(parents=True, exist_ok=True)
    python = python27()
    if python is None:
        print(NO_PYTHON, file=sys.stderr)
        sys.exit(0 if asked.if_possible else 1)
    packages = install(python)
    sections = asked.sections or (QUICK if asked.quick else SECTIONS)
    hub = Hub(asked.hub)
    try:
        cases = run_suite(python, packages, hub.echo, sections)
    finally:
        stopped = hub.stop()
    code = summarize(cases, sections)
    if stopped:
        print(f"the hub ended with {stopped}", file=sys.stderr)
    sys.exit(code or stopped)


if __name__ == "__main__":
    main()
