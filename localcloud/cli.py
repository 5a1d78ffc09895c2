"""The command line: serve until SIGINT or SIGTERM, then stop every server that was started."""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from localcloud import binaries, data_directory, models_once, settings
from localcloud.errors import LocalCloudError
from localcloud.latency import KINDS, Latency, UnknownKindError
from localcloud.settings import Settings

_LAST_PORT = 65535


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    try:
        chosen = _parse(arguments)
        return _serve(chosen)
    except LocalCloudError as error:
        sys.stderr.write(f"{error}\n")
    except OSError as error:
        place = f"{error.filename!r}: " if error.filename else ""
        sys.stderr.write(f"The local cloud stopped: {place}{error.strerror or error}.\n")
    return 1


def _parse(arguments: list[str] | None) -> Settings:
    parser = argparse.ArgumentParser(
        prog="python -m localcloud",
        description="The AWS API on one loopback port, with real PostgreSQL clusters behind RDS.",
    )
    parser.add_argument("command", nargs="?", choices=["serve"], default="serve")
    parser.add_argument("--data", type=Path, default=settings.default_data(), metavar="DIR")
    parser.add_argument("--port", type=int, default=settings.DEFAULT_PORT, help="0: any free one")
    parser.add_argument(
        "--latency",
        nargs="*",
        default=[],
        metavar="KIND=SECONDS",
        help=f"how long operations take; kinds: {', '.join(KINDS)}",
    )
    parser.add_argument("--pg-bin", type=Path, default=settings.pg_bin_setting(), metavar="DIR")
    parser.add_argument("--durable", action="store_true", help="let servers sync to disk")
    parser.add_argument(
        "--one-address", action="store_true", help="127.0.0.1 and a port per instance"
    )
    parser.add_argument(
        "--take-over",
        action="store_true",
        help="after a kill: start the instances again with their data (all else is lost)",
    )
    given = parser.parse_args(arguments)
    if not 0 <= given.port <= _LAST_PORT:
        raise LocalCloudError(f"--port {given.port} is no port: give one from 0 to {_LAST_PORT}.")
    return Settings(
        data=given.data.absolute(),
        port=given.port,
        latency=_latency(given.latency),
        pg_bin=given.pg_bin,
        durable=given.durable,
        one_address=given.one_address,
        take_over=given.take_over,
    )


def _latency(pairs: list[str]) -> dict[str, float]:
    table: dict[str, float] = {}
    for pair in pairs:
        kind, _, seconds = pair.partition("=")
        try:
            table[kind] = float(seconds)
            Latency(table)
        except (UnknownKindError, ValueError) as error:
            raise LocalCloudError(f"--latency {pair}: {error}") from error
    return table


def _serve(chosen: Settings) -> int:
    data_directory.prepare(chosen.data)
    # Told before moto is read, which takes longer than everything else.
    binaries.find(chosen.pg_bin)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    # Nearly all that is made from here on stays; warming looks through it once, at its end.
    gc.disable()
    settings.prepare_moto()
    models_once.attach()
    from localcloud.service import Service  # noqa: PLC0415  # after moto's switches are set

    logging.basicConfig(
        filename=chosen.data / "server.log",
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    service = Service(chosen)
    try:
        service.warm()
        service.start()
        ready = service.ready(os.getpid())
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        # moto prints now and then; nobody reads this process's output from here on.
        with (chosen.data / "server.out").open("w") as rest, contextlib.redirect_stdout(rest):
            stop.wait()
    finally:
        service.stop()
    return 0
