"""The long sweeps: ``python -m tests.fault [SWEEP] [OPERATION] [--size N] [--seed S] [--workers N]``."""

import argparse
import multiprocessing
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

from tests.fault.cases import Reference, Tried, reference, sample
from tests.fault.ground import new_ground
from tests.fault.operations import OPERATIONS
from tests.fault.sweeps import RESULTS, SWEEPS, Result


def main() -> int:
    """Run the sweeps that were asked for; exit 0 when nothing failed."""
    given = _parse()
    signal.signal(signal.SIGTERM, _leave)
    results = [
        _sweep(argparse.Namespace(**vars(given) | {"sweep": sweep, "operation": operation}))
        for operation in ([given.operation] if given.operation else OPERATIONS)
        for sweep in ([given.sweep] if given.sweep else SWEEPS)
    ]
    return 1 if any(result.failures for result in results) else 0


def _sweep(given: argparse.Namespace) -> Result:
    """Run one sweep; print and write its result."""
    begin = time.monotonic()
    with new_ground() as ground:
        wanted = reference(ground, given.operation)
    total = len(SWEEPS[given.sweep](wanted, given.seed))
    tried = _spread(given, wanted)
    result = Result.of(given.sweep, given.operation, given.seed, total, tried)
    result.seconds = round(time.monotonic() - begin)
    result.write(given.out)
    sys.stdout.write(f"{result.sentence()}, {result.seconds} s\n")
    return result


def _leave(_number: int, _frame: object) -> None:
    """Unwind, so that every local cloud is stopped by who started it."""
    sys.exit(1)


def _spread(given: argparse.Namespace, wanted: Reference) -> list[Tried]:
    """Try the cases in several processes; those are ended with this one."""
    spawn = multiprocessing.get_context("spawn")
    pipes = [spawn.Pipe(duplex=False) for _ in range(given.workers)]
    workers = [
        spawn.Process(target=_work, args=(given, wanted, part, writer))
        for part, (_, writer) in enumerate(pipes)
    ]
    for worker in workers:
        worker.start()
    for _, writer in pipes:
        writer.close()
    try:
        tried = [one for reader, _ in pipes for one in reader.recv()]
        for worker in workers:
            worker.join()
    finally:
        for worker in workers:
            worker.terminate()
    return tried


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fault", description=__doc__)
    parser.add_argument("sweep", nargs="?", choices=sorted(SWEEPS), help="default: all")
    parser.add_argument("operation", nargs="?", choices=sorted(OPERATIONS), help="default: all")
    parser.add_argument("--size", type=int, default=sys.maxsize, help="how many cases at most")
    parser.add_argument("--only", default="", help="cases with this text in their names")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


def _work(given: argparse.Namespace, wanted: Reference, part: int, writer: Connection) -> None:
    """Try one part of the cases on a local cloud of its own."""
    signal.signal(signal.SIGTERM, _leave)
    cases = [case for case in SWEEPS[given.sweep](wanted, given.seed) if given.only in case.name]
    own = sample(cases, given.size, given.seed)[part :: given.workers]
    done = []
    with new_ground() as ground:
        for number, case in enumerate(own, start=1):
            begin = time.monotonic()
            tried = case.attempt(ground, wanted)
            done.append(tried)
            mark = "WRONG " + "; ".join(tried.wrong) if tried.wrong else "ok"
            took = time.monotonic() - begin
            sys.stdout.write(
                f"[{part}] {number}/{len(own)} {took:4.1f} s {case.name}: {tried.how} {mark}\n"
            )
            sys.stdout.flush()
    writer.send(done)
