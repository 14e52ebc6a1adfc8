"""Traffic between namespaces: iperf3's streams, and the datagrams of build/bin/bench/packet_load."""
import contextlib
import json
import subprocess
import time

from .machine import (BenchError, cpu_seconds, end, halves_of_processors, last_json, pin_namespaces,
                      program)


def inside(ns, *words):
    return ["ip", "netns", "exec", ns, *map(str, words)]


class Stream:
    """iperf3 from one namespace to another; the server stays up for all runs.

    The congestion control is cubic, which is what Debian's kernel has; a machine set to another, such as bbr with
    its pacing, would measure that.
    """

    def __init__(self, machines, client, server, address, pids=()):
        self.client, self.server, self.address, self.pids = client, server, address, list(pids)
        self.machines = machines
        self.processors = []  # the client's, if it may not run on all
        self.listener = machines.start(server, ["iperf3", "-s", "-p", "5201"])

    @classmethod
    def over(cls, tunnel):
        return cls(tunnel.machines, tunnel.client, tunnel.server, tunnel.address, tunnel.pids)

    @classmethod
    def between_machines(cls, tunnel):
        """Each of the two machines, with all its processes, has half of the processors."""
        stream = cls.over(tunnel)
        client, server = halves_of_processors()
        stream.processors = client
        pin_namespaces((tunnel.machines.a, tunnel.client), client)
        pin_namespaces((tunnel.machines.b, tunnel.server), server)
        return stream

    def start(self, seconds, *options):
        where = ["taskset", "-c", ",".join(map(str, self.processors))] if self.processors else []
        return subprocess.Popen(
            inside(self.client, *where, "iperf3", "-c", self.address, "-p", 5201, "-C", "cubic", "-t", seconds, "-J",
                   *options),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            start_new_session=True)

    def finish(self, process, seconds):
        """Gbit/s as received."""
        try:
            text, _ = process.communicate(timeout=seconds + 20)
        except subprocess.TimeoutExpired:
            raise BenchError(f"iperf3 to {self.address} hangs") from None
        finally:
            end(process)
        answer = json.loads(text or "{}")
        if "error" in answer or "end" not in answer:
            raise BenchError(f"iperf3 to {self.address}: {answer.get('error', 'no answer')}")
        return answer["end"]["sum_received"]["bits_per_second"] / 1e9

    def run(self, seconds, *options):
        """Gbit/s, and processor seconds of `pids` for each Gbit."""
        for attempt in range(20):
            before = cpu_seconds(self.pids)
            try:
                rate = self.finish(self.start(seconds, *options), seconds)
                used = cpu_seconds(self.pids) - before
                return rate, used / (rate * float(seconds)) if rate else 0.0
            except BenchError:
                if attempt == 19 or self.listener.poll() is not None:
                    raise
                time.sleep(0.1)  # the server is not there yet, or not done with the last one
        return None


@contextlib.contextmanager
def receiver(ns, verb, port, *options, result=None):
    """`packet_load sink` or `pong` for the length of the block; `result` gets what it counted."""
    process = subprocess.Popen(inside(ns, program("bench/packet_load"), verb, port, *options), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        if process.stdout.readline().strip() != "ready":
            raise BenchError(f"packet_load {verb} did not start")
        yield process
        process.stdin.close()
        text = process.stdout.read()
        if result is not None:
            result.update(last_json(text))
    finally:
        end(process)


def run_json(ns, *words, seconds=30):
    ran = subprocess.run(inside(ns, *words), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         timeout=seconds + 30, start_new_session=True)
    if ran.returncode != 0:
        raise BenchError(f"{' '.join(map(str, words[1:3]))}: {ran.stderr.strip()}")
    return last_json(ran.stdout)


def datagrams(client, server, address, seconds, size=64, flows=1, segments=1, port=7001):
    """As many datagrams as one sender makes: what it sent and what the other end received, a second."""
    counted = {}
    with receiver(server, "sink", port, "--bytes", size, result=counted):
        sent = run_json(client, program("bench/packet_load"), "send", address, port, "--seconds", seconds,
                        "--bytes", size, "--flows", flows, "--segments", segments, seconds=seconds)
        time.sleep(0.2)  # what is on the way still arrives
    if not counted["packets"]:
        raise BenchError(f"no datagram reached {address}")
    return {"sent": sent["sent"] / sent["seconds"], "received": counted["packets"] / counted["seconds"],
            "packets": counted["packets"]}


def round_trips(client, server, address, count, port=7002):
    with receiver(server, "pong", port):
        return run_json(client, program("bench/packet_load"), "ping", address, port, "--count", count)
