"""What .ci/siege does: besieges three services and measures what others get meanwhile. Each promise
that holds is a line with its figures; one that does not is a line that begins with FAILED."""

import argparse
import asyncio
import json

from siege_load import overload
from siege_many import thousands
from siege_rubbish import rubbish_fed
from siege_slow import slow_by_hundreds, slow_by_ones
from siege_tools import Service, mebibytes, place, tried
from witness import ended, holds


async def after_all(large, few, small):
    for service in (large, few, small):
        status, _, text = await asyncio.to_thread(service.ask, "/readyz")
        holds(f"after all: the service {service.name} is ready: {status}; {mebibytes(service.memory())}, {service.status('Threads')} threads, {service.files()} files", status == 200, text)
        log = service.read("log")
        errors = [line for line in log.splitlines() if " ERROR churn_risk" in line and not (service is small and "audit log" in line)]
        holds(f"after all: the log of {service.name} has no error and no panic in {len(log.splitlines())} lines", not errors and "panicked" not in log, errors[:3])


STEPS = [overload, slow_by_ones, slow_by_hundreds, thousands, rubbish_fed, after_all]


async def run():
    services = [Service(name) for name in ("large", "few", "small")]
    status, _, text = services[0].ask("/v1/subscriptions/at-risk?limit=1")
    if status != 200:
        raise SystemExit(f"FAILED: the service does not answer at all: {status} {text}")
    place.id = json.loads(text)["data"][0]["subscription_id"]
    for step in STEPS:
        if not place.only or step.__name__ in place.only:
            await tried(step, *services)


def key_of(who):
    with open(f"{place.work}/{who}.key", encoding="ascii") as file:
        return file.read().split()[-1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--each", type=int, required=True)
    parser.add_argument("only", nargs="*")
    parser.parse_args(namespace=place)
    place.key, place.others, *place.allies = map(key_of, ("siege", "others", "ally-1", "ally-2", "ally-3", "ally-4"))
    asyncio.run(run())
    ended()


main()
