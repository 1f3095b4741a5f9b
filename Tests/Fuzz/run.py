"""Fuzzes every parser and writer: builds the targets, runs several at a time, keeps what they learn, sums up.

Called by `./dev fuzz`. What a target has learned is kept in .build/fuzz/corpus and cut down at its next run.
"""

import argparse
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "Tests/Fuzz"
BUILD = ROOT / ".build/fuzz"
FINDINGS = BUILD / "findings"
AGENTS = """AgentConfiguration AnswerFraming ChatCompletionReader CommandOutputReader CommandSettings GuideQuery
    MarkdownSections MessagesReader ModelReader PromptTemplate Redaction ToolCallCollector"""
# Compiled together as one module; all of Wire and ChatProtocol, and of the rest what reads strangers' bytes.
SOURCES = [
    *sorted(HERE.glob("*.swift")),
    *(path for folder in ("Wire", "ChatProtocol", "Server/Routes", "Server/Configuration")
      for path in sorted((ROOT / "Sources" / folder).glob("*.swift")) if path.name != "PageAssets.swift"),
    *(ROOT / f"Sources/Agents/{name}.swift" for name in AGENTS.split()),
    *(ROOT / f"Sources/{name}.swift" for name in (
        "Chat/Ports", "Chat/AgentRouter", "Reactor/PeerAddress", "Server/Version", "Storage/StorageHealth",
        "Telemetry/Log")),
]
# Imports of the modules that these files come from mean nothing in the one module; of CLinux they need nothing.
OWN_MODULES = "Wire|ChatProtocol|Chat|Agents|Server|Storage|Reactor|Telemetry|CLinux"
OWN_IMPORT = re.compile(rf"^(?:public |package |@testable )*import (?:{OWN_MODULES})$", re.M)
# Longer inputs than these reach nothing new, and cost time.
BYTES_MAX = {
    "base64": 96, "utf8": 64, "timestamp": 48, "websocketframe": 64, "synthetic": 384, "prompt": 192,
    "streamevent": 256, "httpwriter": 256, "websocketwriter": 256, "jsonwriter": 256, "json": 512, "sse": 384,
    "websocket": 640, "chatcompletion": 768, "messages": 768,
}
GOLDEN = {"json": "*/*.json", "clientframe": "*/*.json"}
ENVIRONMENT = {
    "SWIFT_BACKTRACE": "enable=no",
    # A small quarantine keeps the working set in the caches, and no stacks are kept of allocations: half as many
    # executions again. Run by hand, a finding has both.
    "ASAN_OPTIONS": "detect_leaks=1:quarantine_size_mb=8:malloc_context_size=1",
}


def build():
    """Compiles all targets into one program, unless this very program is there."""
    version = subprocess.run(["swiftc", "--version"], capture_output=True, text=True, check=True).stdout
    digest = hashlib.sha256(version.encode())
    for path in SOURCES:
        digest.update(path.read_bytes())
    binary = BUILD / f"fuzz-{digest.hexdigest()[:16]}"
    if binary.exists():
        return binary
    print("Compiling the fuzz targets", flush=True)
    for old in BUILD.glob("fuzz-*"):
        old.unlink()
    copies = BUILD / "sources"
    shutil.rmtree(copies, ignore_errors=True)
    copies.mkdir(parents=True)
    for path in SOURCES:
        name = str(path.relative_to(ROOT)).replace("/", "-")
        (copies / name).write_text(OWN_IMPORT.sub("", path.read_text()))
    command = ["swiftc", "-O", "-wmo", "-num-threads", "2", "-sanitize=fuzzer,address", "-parse-as-library",
               "-swift-version", "6", "-suppress-warnings", "-module-name", "Fuzz", *sorted(copies.glob("*.swift")),
               "-o", binary]
    done = subprocess.run(command, capture_output=True, text=True, cwd=BUILD)
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if "Cannot export local" not in line]
        sys.exit("\n".join(lines[-60:]) + "\ndev: the fuzz targets do not compile."
                 "\ndev: What a source needs from elsewhere is to be named under SOURCES in Tests/Fuzz/run.py.")
    return binary


def target_names():
    """The table in Targets.swift is the one place that names them."""
    return re.findall(r'^    "(\w+)": fuzz', (HERE / "Targets.swift").read_text(), re.M)


class Run:
    """One target's run."""

    def __init__(self, binary, name, seconds):
        self.binary, self.name, self.seconds = binary, name, seconds
        self.corpus = BUILD / "corpus" / name
        self.log = BUILD / f"{name}.log"
        self.environment = os.environ | ENVIRONMENT | {"HUBBUB_FUZZ_TARGET": name}

    def start(self):
        self.seed()
        self.began = time.monotonic()
        self.process = self.fuzz(f"-max_total_time={self.seconds}", "-print_final_stats=1", self.corpus)

    def fuzz(self, *arguments):
        with open(self.log, "w") as log:
            return subprocess.Popen(
                [self.binary, "-timeout=10", "-rss_limit_mb=2048", "-reload=0",
                 f"-max_len={BYTES_MAX.get(self.name, 1024)}", f"-artifact_prefix={FINDINGS}/{self.name}-",
                 *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment)

    def seed(self):
        """The kept corpus, cut down to what reaches something new, and the seeds of the repository."""
        if any(self.corpus.glob("*")):
            smaller = self.corpus.with_name(self.name + "-smaller")
            shutil.rmtree(smaller, ignore_errors=True)
            smaller.mkdir()
            if self.fuzz("-merge=1", smaller, self.corpus).wait() == 0:
                shutil.rmtree(self.corpus)
                smaller.rename(self.corpus)
        self.corpus.mkdir(parents=True, exist_ok=True)
        seeds = [*(HERE / "corpus" / self.name).glob("*")]
        if self.name in GOLDEN:
            seeds += (ROOT / "Protocol/frames").glob(GOLDEN[self.name])
        for seed in seeds:
            shutil.copy(seed, self.corpus / f"seed-{seed.name}")

    @property
    def executions(self):
        """As the log has it so far."""
        log = self.log.read_text("utf8", "replace")
        found = re.findall(r"^#(\d+)|^stat::number_of_executed_units: +(\d+)", log, re.M)
        return max((int(pulse or final) for pulse, final in found), default=0)

    def finish(self):
        self.took = max(time.monotonic() - self.began, 0.001)
        self.total = self.executions
        self.has_failed = self.process.returncode != 0

    @property
    def row(self):
        found = "FOUND" if self.has_failed else "0"
        size = len(list(self.corpus.iterdir()))
        return f"{self.name:<16} {self.total:>13,} {self.total / self.took:>9,.0f} {size:>7,} {found:>8}"


def run_all(runs, jobs):
    """Runs so many at a time, and says now and then how far they are."""
    waiting, running, done = list(runs), [], []
    next_word = time.monotonic() + 10
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(waiting.pop(0))
                running[-1].start()
            time.sleep(0.1)
            for run in [run for run in running if run.process.poll() is not None]:
                running.remove(run)
                run.finish()
                done.append(run)
            if time.monotonic() > next_word:
                next_word += 10
                total = sum(run.total for run in done) + sum(run.executions for run in running)
                names = " ".join(run.name for run in running)
                print(f"  {len(done)} of {len(runs)} done, {total:,} executions; now {names}", flush=True)
    finally:
        for run in running:
            run.process.kill()
            run.process.wait()


def report(runs):
    """The table, and of each finding the end of its log and how to run it again; returns the exit code."""
    print(f"{'target':<16} {'executions':>13} {'per s':>9} {'corpus':>7} {'findings':>8}")
    for run in runs:
        print(run.row)
    print(f"{'all':<16} {sum(run.total for run in runs):>13,}")
    failed = [run for run in runs if run.has_failed]
    for run in failed:
        lines = run.log.read_text("utf8", "replace").splitlines()
        print(f"\n{run.name}:", *lines[-40:], sep="\n")
    for run in failed:
        print(f"\n{run.name} failed; the input is {FINDINGS}/{run.name}-*. Run it again with\n"
              f"  HUBBUB_FUZZ_TARGET={run.name} {run.binary} FILE", file=sys.stderr)
    return 1 if failed else 0


def main():
    names = target_names()
    parser = argparse.ArgumentParser(prog="dev fuzz")
    parser.add_argument("seconds", nargs="?", type=int, default=60, help="for each target (60)")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all, unless named: " + " ".join(names))
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="targets at a time (one for each core)")
    asked = parser.parse_args()
    unknown = [name for name in asked.targets if name not in names]
    if asked.seconds < 1 or asked.jobs < 1 or unknown:
        parser.error(f"no target {' '.join(unknown)}" if unknown else "SECONDS and --jobs must be at least 1")
    FINDINGS.mkdir(parents=True, exist_ok=True)
    binary = build()
    runs = [Run(binary, name, asked.seconds) for name in asked.targets or names]
    run_all(runs, asked.jobs)
    sys.exit(report(runs))


if __name__ == "__main__":
    main()
