#!/usr/bin/env python3
"""Makes tracking calls through a published Python SDK, as an application would.

    drive.py --sdk segment-analytics-python|rudder-sdk-python --host http://127.0.0.1:PORT --write-key KEY \
             [--max-retries 3] [--timeout-seconds 60] < plan.ndjson

Run it with the interpreter of the virtual environment that holds requirements.txt. tests/sdk/README.md describes the
plan, the answer line and the exit status. Lines are acted on as they are read, so a test may write some calls, wait,
and write more.

What these SDKs cannot do, or do in their own way:
- alias takes no anonymous id in either; the driver leaves it out and counts it under "omitted".
- rudder-sdk-python puts identify traits in context.traits and nowhere else, over what the caller's context held there.
  On import it reads the nearest .env file upwards of where it is installed.
- segment-analytics-python refuses a call over 32 KiB (an error here); rudder-sdk-python refuses one over 4 MiB.
- Both turn user and anonymous ids into strings, but leave group_id and previous_id as given.
- Both write NaN, Infinity and lone surrogates as they stand: a plan line may hold them.
- Neither tells which calls of a batch were refused: a refused batch counts all its calls as undelivered.
"""

import argparse
import contextlib
import json
import logging
import os
import sys
import threading
from datetime import datetime

IDENTITY = ("user_id", "anonymous_id")
PAGE = IDENTITY + ("category", "name", "properties")
FIELDS = {
    "identify": IDENTITY + ("traits",),
    "track": IDENTITY + ("event", "properties"),
    "page": PAGE,
    "screen": PAGE,
    "group": IDENTITY + ("group_id", "traits"),
    "alias": IDENTITY + ("previous_id",),
}
COMMON = ("message_id", "context", "integrations", "timestamp")
# Larger than any plan, so that a slow server never makes an SDK drop calls at its own queue.
QUEUE_CALLS = 1_000_000


class PlanError(Exception):
    """A line of the plan that no SDK could act on: the test's mistake, not the server's."""


class Tally:
    """Counts what the SDK took and what it reports as lost; filled by the main and the SDK's sending thread."""

    def __init__(self):
        self.sent = 0
        self.lost = 0
        self.undelivered = []
        self.errors = []
        self.omitted = {}

    def on_error(self, error, batch):
        """The SDK's own callback: it gave up on these calls."""
        ids = [call.get("messageId") for call in batch]
        self.lost += len(ids)
        self.undelivered += ids
        self.errors.append(f"{len(ids)} calls not delivered: {type(error).__name__}: {error}")

    def report(self, finished):
        clean = finished and not self.errors
        delivered = self.sent - self.lost if finished else None
        answer = {"sent": self.sent, "delivered": delivered, "errors": self.errors}
        answer |= {"undelivered": self.undelivered, "omitted": self.omitted}
        print(json.dumps(answer), file=sys.__stdout__, flush=True)
        return 0 if clean and delivered == self.sent else 1


class WarningsAreErrors(logging.Handler):
    """A full queue, or a value left out of a call, shows as a warning in the SDK's log and nowhere else."""

    def __init__(self, tally):
        super().__init__(logging.WARNING)
        self.tally = tally

    def emit(self, record):
        # What they log above a warning they also pass to on_error; retries they log below it.
        if record.levelno == logging.WARNING:
            self.tally.errors.append(f"sdk log: {record.getMessage()[:300]}")


class SegmentPython:
    """segment-analytics-python, through a Client of its own."""

    omits = {"alias": {"anonymous_id"}}
    logger = "segment"

    def __init__(self, options, tally):
        from segment.analytics import Client

        self.client = Client(
            options.write_key,
            host=options.host,
            on_error=tally.on_error,
            max_queue_size=QUEUE_CALLS,
            max_retries=options.max_retries,
            max_rate_limit_duration=options.timeout_seconds,
        )

    def call(self, name, fields):
        accepted, _ = getattr(self.client, name)(**fields)
        return accepted

    def close(self):
        self.client.shutdown()


class RudderPython:
    """rudder-sdk-python, through its module, which is how its documentation uses it."""

    omits = {"alias": {"anonymous_id"}}
    logger = "rudderstack"

    def __init__(self, options, tally):
        import rudderstack.analytics as rudder

        rudder.write_key = options.write_key
        rudder.dataPlaneUrl = options.host
        rudder.on_error = tally.on_error
        rudder.max_queue_size = QUEUE_CALLS
        rudder.max_retries = options.max_retries
        self.rudder = rudder
        self.used = False

    def call(self, name, fields):
        self.used = True
        # Returns nothing; a full queue shows in the log alone.
        getattr(self.rudder, name)(**fields)
        return True

    def close(self):
        if self.used:
            self.rudder.shutdown()


SDKS = {"segment-analytics-python": SegmentPython, "rudder-sdk-python": RudderPython}


def parse_call(line):
    """Turns a line of the plan into the call's name and its keyword arguments."""
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise PlanError(f"not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise PlanError("not an object")
    name = fields.pop("call", None)
    if name not in FIELDS:
        raise PlanError(f"unknown call {name!r}")
    unknown = set(fields) - set(FIELDS[name]) - set(COMMON)
    if unknown:
        raise PlanError(f"{name} takes no {', '.join(sorted(unknown))}")
    if "timestamp" in fields:
        try:
            fields["timestamp"] = datetime.fromisoformat(fields["timestamp"])
        except (TypeError, ValueError) as error:
            raise PlanError(f"timestamp: {error}") from error
    return name, fields


def play(lines, sdk, tally):
    """Makes the plan's calls, then waits until the SDK has delivered or given up on each."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            name, fields = parse_call(line)
        except PlanError as error:
            raise PlanError(f"plan line {number}: {error}") from error
        for field in sdk.omits.get(name, set()) & set(fields):
            del fields[field]
            key = f"{name}.{field}"
            tally.omitted[key] = tally.omitted.get(key, 0) + 1
        message_id = fields.get("message_id")
        try:
            accepted = sdk.call(name, fields)
        except Exception as error:  # what an SDK raises for a call it refuses differs from SDK to SDK
            tally.errors.append(f"plan line {number}: {name} refused: {type(error).__name__}: {str(error)[:200]}")
            tally.undelivered.append(message_id)
            continue
        tally.sent += 1
        if not accepted:
            tally.on_error(RuntimeError("the SDK's queue is full"), [{"messageId": message_id}])
    sdk.close()


def parse_arguments():
    parser = argparse.ArgumentParser(description="Makes a plan's tracking calls through a published Python SDK.")
    parser.add_argument("--sdk", required=True, choices=sorted(SDKS))
    parser.add_argument("--host", required=True, help="where Roster listens, e.g. http://127.0.0.1:8080")
    parser.add_argument("--write-key", required=True)
    parser.add_argument("--max-retries", type=int, default=3, help="how often the SDK may send a batch again")
    parser.add_argument("--timeout-seconds", type=float, default=60, help="give up on the whole plan after this long")
    return parser.parse_args()


def main():
    options = parse_arguments()
    tally = Tally()
    outcome = []

    def run():
        try:
            sdk = SDKS[options.sdk](options, tally)
            logging.getLogger(sdk.logger).addHandler(WarningsAreErrors(tally))
            play(sys.stdin, sdk, tally)
            outcome.append(None)
        except BaseException as error:  # carried to the main thread, which alone may end the process
            outcome.append(error)

    # An SDK's flush has no time limit of its own, so it runs where the main thread can leave it behind.
    worker = threading.Thread(target=run, daemon=True)
    with contextlib.redirect_stdout(sys.stderr):
        worker.start()
        worker.join(options.timeout_seconds)
    planned_badly = bool(outcome) and isinstance(outcome[0], PlanError)
    if not outcome:
        tally.errors.append(f"not finished after {options.timeout_seconds:g} seconds")
    elif outcome[0] is not None:
        tally.errors.append(str(outcome[0]) if planned_badly else f"{type(outcome[0]).__name__}: {outcome[0]}")
    status = tally.report(finished=outcome == [None])
    # Not sys.exit: the SDK's exit hook would wait for a sending thread that may never come back.
    os._exit(2 if planned_badly else status)


if __name__ == "__main__":
    main()
