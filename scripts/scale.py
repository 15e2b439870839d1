#!/usr/bin/env python3
"""Simulates many sensors, patients and archives, and prints the resulting load: messages a second at the hub, its
memory, growth of its store and of the stream, workers for the archives, and what breaks first.

    scripts/scale.py                                          a thousand sensors, ten million patients, 10 TB
    scripts/scale.py --sensors 20 --patients 20000 --days 1   small
    scripts/scale.py --check                                  small, and the model against what it must give

Each sensor sees flows of its own clients and services; patients return to them at random. The simulation draws how many
different patients each exposure has seen after so many flows, which is what updates and facts depend on. What one message,
fact and sketch cost was measured with phitap itself over fixtures/hospital.pcap; what is marked as assumed was not.
"""

import argparse
import math
import random
import sys

MEASURED = {
    "exposure_bytes": 1_900,        # an exposure event in the stream; at most 3,000
    "fact_stream_bytes": 160,       # a fact in a phi-summary event: JSON, deflated, base64
    "fact_memory_bytes": 420,       # a fact in the hub's memory; assumed from its types
    "fact_store_bytes": 640,        # a fact in the hub's store: 490 and the free space of its pages
    "sketch_bytes": 40_000,         # an exposure held as sketches
    "status_bytes": 3_500,          # a sensor-status event
    "hub_updates_per_second": 20_000,  # assumed; scripts/hub-speed.py measures it
    "replay_bytes_per_second": 150e6,  # a worker with two cores; assumed, docs/performance.md has figures
}
# As in src/merge and src/hub.
MAX_FACTS = 1 << 20
MAX_SKETCHED = 65_536
MAX_EXPOSURES = 65_536
MAX_SENSORS = 16_384
UPDATE_EVERY = 60       # seconds: --update-every
STATUS_EVERY = 60       # seconds: --status-every
PART_EVERY = 10         # seconds of packet time
PART_FACTS = 256


def distinct(population, draws):
    """Expected number of different members after so many draws with replacement."""
    return population * -math.expm1(draws * math.log1p(-1 / population)) if population > 1 else min(1, draws)


def simulate(o):
    """The load of one day over all sensors."""
    rng = random.Random(1)
    exposures = facts = updates = patients_seen = summaries = 0.0
    busiest = 0.0
    for _ in range(o.sensors):
        # Services of a sensor differ in size by three orders of magnitude, as they do in hospitals.
        weights = [rng.paretovariate(1.1) for _ in range(o.exposures)]
        total = sum(weights)
        flows = o.flows * rng.lognormvariate(0, 0.6)
        local = max(1.0, o.patients / o.sensors * rng.lognormvariate(0, 0.4))
        sensor_facts = 0.0
        for weight in weights:
            seen = flows * weight / total
            if seen < 1:
                continue
            exposures += 1
            # Each flow carries a few patients; each is a fact.
            sensor_facts += seen * o.patients_per_flow
            # A continuing exposure is written at most once a minute, a rare one with each flow.
            updates += min(seen, 86_400 / UPDATE_EVERY)
            busiest = max(busiest, seen)
        facts += sensor_facts
        summaries += max(sensor_facts / PART_FACTS, min(86_400 / PART_EVERY, sensor_facts))
        patients_seen += distinct(local, sensor_facts)
    # Flows that pass two sensors cost messages twice, but are one fact.
    facts_once = facts * (1 - o.overlap / 2)
    statuses = o.sensors * 86_400 / STATUS_EVERY
    return {
        "exposures": exposures, "updates": updates, "facts": facts, "facts_once": facts_once,
        "summaries": summaries, "statuses": statuses, "patients": min(o.patients, patients_seen),
    }


def model(o):
    """The figures of the report, for `days` days."""
    day = simulate(o)
    m = MEASURED
    messages = day["updates"] + day["summaries"] + day["statuses"]
    peak = messages / 86_400 * o.peak
    all_facts = day["facts_once"] * o.days
    exact = all_facts <= MAX_FACTS
    held = min(day["exposures"], MAX_EXPOSURES)
    memory = held * (m["exposure_bytes"] + 300) + (
        all_facts * m["fact_memory_bytes"] if exact else min(day["exposures"], MAX_SKETCHED) * m["sketch_bytes"])
    store = held * m["exposure_bytes"] + (
        all_facts * m["fact_store_bytes"] if exact else min(day["exposures"], MAX_SKETCHED) * m["sketch_bytes"])
    stream = (day["updates"] * m["exposure_bytes"] + day["facts"] * m["fact_stream_bytes"]
              + day["statuses"] * m["status_bytes"])
    workers = math.ceil(o.archive_tb * 1e12 / m["replay_bytes_per_second"] / (o.hours * 3600))
    limits = {
        "updates a second at the hub": peak / m["hub_updates_per_second"],
        "facts held one by one": all_facts / MAX_FACTS,
        "exposures held": day["exposures"] / MAX_EXPOSURES,
        "exposures held as sketches": 0 if exact else day["exposures"] / MAX_SKETCHED,
        "sensors held": o.sensors / MAX_SENSORS,
    }
    return {
        "day": day, "messages": messages, "peak": peak, "exact": exact, "memory": memory, "store": store,
        "stream": stream, "workers": workers, "facts": all_facts, "limits": limits,
    }


def number(n):
    return f"{n:,.0f}"


def size(n):
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if n < 1000 or unit == "TB":
            return f"{n:.3g} {unit}"
        n /= 1000
    return ""


def report(o, m):
    day = m["day"]
    rows = [
        ("exposures", number(day["exposures"])),
        ("patients seen in a day", number(day["patients"])),
        ("facts a day, each flow once", number(day["facts_once"])),
        ("messages a day", number(m["messages"])),
        ("messages a second, mean", f"{m['messages'] / 86_400:.1f}"),
        (f"messages a second, at {o.peak} times the mean", f"{m['peak']:.1f}"),
        ("share of what a hub takes on two cores", f"{m['limits']['updates a second at the hub']:.1%}"),
        ("stream, a day", size(m["stream"])),
        (f"facts after {o.days} days", number(m["facts"])),
        ("counts of people", "exact" if m["exact"] else "estimates (sketches)"),
        ("memory of the hub", size(m["memory"])),
        ("store of the hub", size(m["store"])),
        (f"workers for {o.archive_tb:g} TB in {o.hours} h", number(m["workers"])),
    ]
    for name, value in rows:
        print(f"{name:<44} {value:>22}")
    print()
    print("What is reached first:")
    for name, share in sorted(m["limits"].items(), key=lambda of: -of[1]):
        print(f"  {name:<42} {share:>22.1%}")


def check():
    """Checks the model at small size for properties that hold at any size."""
    def of(**changes):
        given = {"sensors": 20, "patients": 20_000, "days": 1, "archive_tb": 0.001, **changes}
        words = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        return model(arguments(words))

    small, twice, month = of(), of(sensors=40), of(days=30)
    large = of(sensors=1000, patients=10_000_000, days=365)
    assert small["exact"], "twenty sensors of a day are counted exactly"
    assert 1.6 < twice["messages"] / small["messages"] < 2.4, "messages grow with the sensors"
    assert 29 < month["facts"] / small["facts"] < 31, "facts grow with the days"
    assert month["stream"] == small["stream"], "a day of the stream does not"
    assert not large["exact"] and large["memory"] < 2e9, "sketches bound the memory of the hub"
    assert large["limits"]["updates a second at the hub"] < 1, "one hub takes a thousand sensors"
    assert abs(distinct(1000, 1000) - 632.3) < 1 and distinct(1, 5) == 1
    print("ok")


def arguments(words=None):
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--sensors", type=int, default=1000)
    p.add_argument("--patients", type=int, default=10_000_000, help="people who may be seen at all")
    p.add_argument("--exposures", type=int, default=30, help="clients and services with patient data at a sensor")
    p.add_argument("--flows", type=float, default=2_000, help="flows with patient data at a sensor and day")
    p.add_argument("--patients-per-flow", type=float, default=1.5)
    p.add_argument("--overlap", type=float, default=0.1, help="share of flows that two sensors see")
    p.add_argument("--peak", type=float, default=5, help="the busiest minute, in times of the mean")
    p.add_argument("--days", type=int, default=90)
    p.add_argument("--archive-tb", type=float, default=10)
    p.add_argument("--hours", type=float, default=8, help="in which the archives are to be read")
    p.add_argument("--check", action="store_true")
    return p.parse_args(words)


def main():
    o = arguments()
    if o.check:
        check()
        return
    report(o, model(o))


if __name__ == "__main__":
    sys.exit(main())
