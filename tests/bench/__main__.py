"""The command: ``python -m tests.bench requests|delivery|outbox|scaling [--quick] [--json]``.

Modules that import the package are imported late: a worker may measure another checkout of it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench import crew, report

_LIMIT_S = {True: 300.0, False: 1200.0}


def main(arguments: list[str]) -> int:
    """0 when everything was measured, whether goals are met or not."""
    if arguments[:1] == ["worker"]:
        _work(*arguments[1:])
        return 0
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("subject", choices=["requests", "delivery", "outbox", "scaling"])
    parser.add_argument("--quick", action="store_true", help="under a minute; rougher figures")
    parser.add_argument("--json", action="store_true", help="print numbers instead of tables")
    parser.add_argument("--beside", default="", metavar="DIR", help="outbox: another checkout to compare with")
    options = parser.parse_args(arguments)
    _run(options.subject, options.beside, quick=options.quick, is_json=options.json)
    return 0


def _work(role: str, *arguments: str) -> None:
    if role == "sink":
        from tests.bench import sink

        crew.pin(1)
        sink.serve()
    elif role == "outbox":
        from tests.bench import outbox_worker

        outbox_worker.serve(*arguments)
    elif role == "delivery":
        from tests.bench import delivery_worker

        delivery_worker.serve(*arguments)
    else:
        from tests.bench import request_worker

        request_worker.serve(*arguments)


def _run(subject: str, beside: str, *, quick: bool, is_json: bool) -> None:
    begin = time.monotonic()
    done: list[report.Table] = []
    with tempfile.TemporaryDirectory(prefix="tiktok-bench-") as name:
        log = Path(name) / "workers.log"
        try:
            with crew.Crew(log, _LIMIT_S[quick]) as workers:
                for table in _tables(subject, workers, Path(name), beside, quick=quick):
                    done.append(table)
                    if not is_json:
                        table.show()
        except crew.WorkerError:
            sys.stderr.write(log.read_text()[-4000:])
            raise
    request = {"python": platform.python_version(), "system": platform.platform(), "processors": os.cpu_count()}
    request["seconds"] = round(time.monotonic() - begin)
    if is_json:
        print(json.dumps(report.as_json(done, request), indent=1))
    else:
        print(
            f"\nPython {request['python']}, {request['processors']} processors, {request['seconds']} s. Quote ratios of one run only."
        )


def _tables(subject: str, workers: crew.Crew, folder: Path, beside: str, *, quick: bool) -> Iterator[report.Table]:
    from tests.bench import delivery_bench, outbox_bench, requests_bench, saved_pages_bench, scaling_bench, startup

    if subject == "outbox":
        yield from outbox_bench.OutboxBench(workers, folder, beside, quick=quick).tables()
        return
    port = workers.start("sink").hear()["port"]
    api_url = f"http://127.0.0.1:{port}"
    if subject == "scaling":
        yield from scaling_bench.ScalingBench(workers, folder, api_url).tables()
    elif subject == "requests":
        yield from requests_bench.RequestsBench(workers, folder, api_url, quick=quick).tables()
        yield saved_pages_bench.saved_pages_table(folder, api_url, quick=quick)
        yield startup.startup_table(5 if quick else 15)
    else:
        yield from delivery_bench.DeliveryBench(workers, folder, port, quick=quick).tables()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
