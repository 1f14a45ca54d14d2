"""A fault drill: runs are killed, starved of disk and stopped at random, started again, and must lose nothing.

A configuration is run once untouched. Then it is run again and again in fresh folders while faults befall it: kills of
the run, of Snakemake alone, of a job and of the import server, Ctrl-C, a job stopped for a while, a full disk, a limit
on the size of files, an output folder that may not be written. After a fault the run is started again until it is
complete. Every start must end by itself and in time, with a sentence and no traceback where the disk is at fault;
every complete run must hold the digits of the untouched one, byte for byte but for times, memory and provenance.

    python benchmarks/drill.py --kills 50 [--seed 0] [--configfile config/smoke.yaml] [--methods lora mltd ...]

Exits with 0 only where all faults were survived and no digit moved. Logs are kept below --folder.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import resource
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from drill_digits import digits, halves, moved
from drill_runs import BORNE, FAULTS, KILLS, OTHERS, Fault, Hang, Run

PROJECT = Path(__file__).parents[1]
FULL_DISK, LIMIT, READ_ONLY = "a full disk", "a limit on the size of files", "a read-only folder"
OWN_MOUNTS = ["unshare", "--user", "--map-root-user", "--mount"]  # what it mounts goes with it, and needs no rights
BLOCK = 4096  # bytes of a file system's block
SENTENCES = {
    FULL_DISK: "the disk is full",
    LIMIT: "a limit on the size of files is reached",
    READ_ONLY: "it may not be written",
}


@dataclass
class Drill:
    """What was asked for, what happened so far, and what went wrong."""

    folder: Path
    configfile: str
    methods: list[str]
    cores: str
    rng: random.Random
    starts: int = 0
    restarts: int = 0
    runs: int = 0
    compared: int = 0
    survived: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    reference: dict[str, str] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)  # of the files of the untouched run, in bytes
    seconds: float = 0.0  # that the untouched run took
    shortest: float = math.inf  # seconds of a whole run: a fault that is drawn after them befalls nothing

    @property
    def limit(self) -> float:
        """Seconds after which a start is a hang."""
        return 120.0 + 5 * self.seconds if self.seconds else 3600.0

    @property
    def output(self) -> Path:
        """Where every run writes: names of marks know their place."""
        return self.folder / "output"

    def command(self) -> list[str]:
        """The run of the configuration."""
        changes = [f"output={self.output}"] + ([f"methods=[{','.join(self.methods)}]"] if self.methods else [])
        words = ["--cores", self.cores, "--configfile", self.configfile, "--config", *changes]
        return [sys.executable, "-m", "snakemake", *words]

    def start(self, command: list[str] | None = None, before: Callable[[], object] | None = None) -> Run:
        """Start the run, or `command`, with a log of its own."""
        self.starts += 1
        return Run(command or self.command(), self.folder / "logs" / f"{self.starts:04d}.log", PROJECT, before)

    def fresh(self) -> None:
        """Begin a run that has done nothing yet; what an odd one before has left is kept aside."""
        if self.output.exists():
            self.output.rename(self.folder / f"run{self.runs}")
        self.runs += 1

    def fault(self, text: str, run: Run) -> None:
        """Note what went wrong."""
        self.failed.append(f"{text} (see {run.log})")
        say(f"FAILED: {self.failed[-1]}")

    def ended(self, run: Run, what: str) -> int | None:
        """The exit status of a run that ended by itself; None, and a failure, where it did not."""
        try:
            return run.wait(self.limit)
        except Hang as hang:
            self.fault(f"{what}: {hang}", run)
            return None

    def complete(self, what: str) -> None:
        """Start the run again, which completes it, and compare."""
        self.restarts += 1
        run = self.start()
        status = self.ended(run, f"the restart after {what}")
        say(f"  started again after {what}: ended by itself after {time.monotonic() - run.begin:.0f} s, exit {status}")
        if status == 0:
            self.compare()
        elif status is not None:
            self.fault(f"the restart after {what} ended with {status}", run)

    def compare(self) -> None:
        """Compare a complete run with the untouched one."""
        odd, left = moved(self.reference, digits(self.output)), halves(self.output)
        self.compared += 1
        self.moved += [f"run {self.runs}: {name}" for name in odd]
        self.failed += [f"run {self.runs}: {name} was left half written" for name in left]
        told = f"{len(odd)} of {len(self.reference)} files moved" + (f", {len(left)} halves left" if left else "")
        say(f"  run {self.runs} is complete: {told}" + (f", such as {', '.join(odd[:3])}" if odd else ""))
        if not odd and not left:
            shutil.rmtree(self.output)


def say(text: str) -> None:
    """A line of progress, at once."""
    print(text, flush=True)


def untouched(drill: Drill) -> bool:
    """Run once without faults; whether it ended well."""
    say(f"an untouched run of {drill.configfile}")
    run = drill.start()
    status = drill.ended(run, "the untouched run")
    drill.seconds = time.monotonic() - run.begin
    if status != 0:
        drill.fault(f"the untouched run ended with {status}", run)
        return False
    drill.reference = digits(drill.output)
    drill.sizes = [path.stat().st_size for path in drill.output.rglob("*") if path.is_file()]
    drill.output.rename(drill.folder / "reference")
    say(f"  ended well after {drill.seconds:.0f} s with {len(drill.reference)} files to compare")
    return True


def hurt(drill: Drill, faults: list[str]) -> None:
    """Run in fresh folders until no fault is left and the last run is complete.

    One fault befalls a start, or several where the first ones are such that a run goes on in spite of them.
    """
    waiting, after = list(faults), ""
    drill.fresh()
    while True:
        run, befell = drill.start(), list[str]()
        drill.restarts += bool(after)
        while waiting and set(befell) <= BORNE and _befalls(drill, run, FAULTS[waiting[0]]):
            befell.append(waiting.pop(0))
            number, at = len(faults) - len(waiting), time.monotonic() - run.begin
            say(f"fault {number} of {len(faults)}: {befell[-1]} at {at:.1f} s of a start of run {drill.runs}")
        status = drill.ended(run, f"the start after {after or 'nothing'}")
        say(f"  a start of run {drill.runs} ended by itself after {time.monotonic() - run.begin:.0f} s, exit {status}")
        _judge(drill, run, befell, status)
        if status == 0 and not befell and not after:
            drill.shortest = min(drill.shortest, time.monotonic() - run.begin)
        if status == 0:
            drill.compare()
        if status == 0 or not befell:
            if not waiting:
                return
            drill.fresh()
        after = "" if status == 0 else ", ".join(befell)


def _befalls(drill: Drill, run: Run, fault: Fault) -> bool:
    """Let a fault befall a run at a random moment from now, or at the next at which there is what it hurts."""
    moment = time.monotonic() + drill.rng.uniform(0, min(drill.seconds, drill.shortest))
    while not run.over():
        if time.monotonic() > moment and fault(run, drill.rng):
            return True
        time.sleep(0.05)
    return False


def _judge(drill: Drill, run: Run, befell: list[str], status: int | None) -> None:
    """Whether a run ended as it should after what befell it."""
    told = ", ".join(befell) or "nothing"
    if status is None:
        return
    if status != 0 and set(befell) <= BORNE:
        drill.fault(f"after {told} the run ended with {status}; it should have gone on", run)
    elif "Traceback" in run.said():
        drill.fault(f"after {told} the run ended with a traceback", run)
    else:
        drill.survived.update(befell)


def full_disk(drill: Drill) -> None:
    """A small file system of its own, which fills up; then it is made larger and the run is started again."""
    drill.fresh()
    blocks = sum(math.ceil(size / BLOCK) for size in drill.sizes)
    room = BLOCK * int(blocks * drill.rng.uniform(0.05, 0.8)) + 2**16
    kept = drill.folder / "kept"
    for folder in (drill.output, kept):
        folder.mkdir(parents=True)
    output, run = shlex.quote(str(drill.output)), shlex.join(drill.command())
    logs = [drill.folder / "logs" / f"{drill.starts + 1:04d}-{part}.log" for part in ("full", "larger")]
    first, second = (f"{run} > {shlex.quote(str(log))} 2>&1; {part}=$?" for log, part in zip(logs, "ab", strict=True))
    script = (
        f"mount -t tmpfs -o size={room} tmpfs {output} || exit 9; {first}; "
        f"mount -o remount,size=4g {output}; {second}; "
        f"cd {output} && cp -a . {shlex.quote(str(kept))}; echo $a $b"
    )
    both = drill.start([*OWN_MOUNTS, "sh", "-c", script])
    if drill.ended(both, FULL_DISK) is None:
        return
    full, larger = map(int, both.said().split()[-2:])
    drill.output.rmdir()
    kept.rename(drill.output)
    say(f"{FULL_DISK} of {room / 2**20:.1f} MiB: exit {full}; with room again: exit {larger}")
    drill.restarts += 1
    both.log = logs[0]
    _told(drill, both, FULL_DISK, full)
    both.log = logs[1]
    if larger:
        return drill.fault(f"the start with room again ended with {larger}", both)
    drill.compare()


def file_limit(drill: Drill) -> None:
    """No file may be larger than some of those that the run writes; then they may."""
    drill.fresh()
    largest = int(max(drill.sizes) * drill.rng.uniform(0.3, 0.95))
    run = drill.start(before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest)))
    status = drill.ended(run, LIMIT)
    say(f"{LIMIT} of {largest / 2**10:.0f} KiB: exit {status}")
    if status is not None:
        _told(drill, run, LIMIT, status)
        drill.complete(LIMIT)


def read_only(drill: Drill) -> None:
    """A run is killed; then its folder may not be written; then it may."""
    drill.fresh()
    killed = drill.start()
    _befalls(drill, killed, FAULTS["a kill of the run"])
    drill.ended(killed, "a kill before the folder was read-only")
    drill.output.mkdir(parents=True, exist_ok=True)  # where the kill came before it was made
    command, output = drill.command(), shlex.quote(str(drill.output))
    if os.getuid() == 0:  # whom modes do not bar
        bind = f'mount --bind {output} {output} && mount -o remount,bind,ro {output} && exec "$@"'
        run = drill.start([*OWN_MOUNTS, "sh", "-c", bind, "sh", *command])
    else:
        subprocess.run(["chmod", "-R", "a-w", drill.output], check=True)
        run = drill.start()
    status = drill.ended(run, READ_ONLY)
    subprocess.run(["chmod", "-R", "u+w", drill.output], check=True)
    say(f"{READ_ONLY}: exit {status}")
    if status is not None:
        _told(drill, run, READ_ONLY, status)
        drill.complete(READ_ONLY)


def _told(drill: Drill, run: Run, name: str, status: int) -> None:
    """Whether a run that could not write ended with one sentence that says so, and nothing else of ours."""
    ours = [line for line in run.said().splitlines() if line.startswith("headstart: ")]
    if status != 2 or "Traceback" in run.said() or not ours or SENTENCES[name] not in ours[-1]:
        drill.fault(f"{name}: exit {status}, and the last sentence is {ours[-1:] or 'missing'}", run)
    else:
        drill.survived[name] += 1


def mounts(folder: Path) -> bool:
    """Whether this user may mount a file system of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [*OWN_MOUNTS, "mount", "-t", "tmpfs", "tmpfs", str(folder)]
    return bool(shutil.which("unshare")) and subprocess.run(command, capture_output=True, check=False).returncode == 0


def disks(drill: Drill, times: int) -> None:
    """The faults of the disk, or why they cannot be had here."""
    able = mounts(drill.folder / "mount")
    if not able:
        drill.skipped[FULL_DISK] = "no file system can be mounted here without rights; the limit on files stands in"
    if not able and os.getuid() == 0:
        drill.skipped[READ_ONLY] = "modes do not bar root, and no file system can be mounted here"
    for name, fault in ((FULL_DISK, full_disk), (LIMIT, file_limit), (READ_ONLY, read_only)):
        for _ in range(0 if name in drill.skipped else times):
            fault(drill)


def schedule(kills: int, others: int, rng: random.Random) -> list[str]:
    """As many kills of each kind as of any other, and the other faults, in random order."""
    kinds = list(KILLS)
    faults = [kinds[number % len(kinds)] for number in range(kills)] + [name for name in OTHERS for _ in range(others)]
    rng.shuffle(faults)
    return faults


def report(drill: Drill, faults: int) -> int:
    """Print what was survived; the exit status of the drill."""
    say("")
    for name, count in sorted(drill.survived.items()):
        say(f"{name:<32}{count:>4} survived")
    for name, why in drill.skipped.items():
        say(f"{name:<32}skipped: {why}")
    for text in [*drill.failed, *(f"moved: {name}" for name in drill.moved)]:
        say(text)
    survived = sum(drill.survived.values())
    say(
        f"{survived} of {faults} faults survived; {drill.restarts} restarts; {drill.compared} complete runs compared, "
        f"{len(drill.reference)} files each; digits moved: {len(drill.moved)}; failures: {len(drill.failed)}"
    )
    return int(bool(drill.failed or drill.moved or survived < faults or not drill.compared))


def main() -> int:
    """Drill, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=8, help="kills; each other fault comes once for ten of them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--configfile", default="config/smoke.yaml")
    parser.add_argument("--methods", nargs="+", default=[], help="in the place of the configuration's")
    parser.add_argument("--cores", default="2")
    parser.add_argument("--folder", type=Path, default=Path("results/drill"), help="for runs and logs; emptied first")
    options = parser.parse_args()
    folder = options.folder.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rng = random.Random(options.seed)
    drill = Drill(folder, options.configfile, options.methods, options.cores, rng)
    others = max(1, options.kills // 10)
    faults = schedule(options.kills, others, rng)
    if not untouched(drill):
        return report(drill, len(faults))
    hurt(drill, faults)
    disks(drill, others)
    return report(drill, len(faults) + others * (3 - len(drill.skipped)))


if __name__ == "__main__":
    sys.exit(main())
