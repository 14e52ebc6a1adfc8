"""Medians, their spread, and the lines that end a bench."""
import json
import os
import random
import statistics

SHORT = bool(os.environ.get("BENCH_SHORT"))


def spread(values, form="{:.2f}"):
    """Least and greatest, for a table."""
    return f"{form.format(min(values))}..{form.format(max(values))}" if len(values) > 1 else ""


def median(values):
    return statistics.median(values)


def median_interval(values, percent=95, draws=2000):
    """Median and the interval that a bootstrap gives it; the seed is fixed, so a report repeats."""
    draw = random.Random(1)
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(draws))
    cut = int(draws * (100 - percent) / 200)
    return statistics.median(values), medians[cut], medians[-cut - 1]


def machine_line():
    return f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}"


def result_line(name, ours, unit, peers, ratio, **more):
    """The one line programs read (bench/run --json)."""
    def short(value):
        return None if value is None else float(f"{value:.4g}") if isinstance(value, float) else value
    print(json.dumps({"id": name, "ours": short(ours), "unit": unit,
                      "peers": {key: short(value) for key, value in peers.items()}, "ratio": short(ratio),
                      **{key: short(value) for key, value in more.items()}}), flush=True)
