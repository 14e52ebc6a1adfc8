"""Namespaces, processes in them, and the promise that nothing is left behind."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARIES = os.environ.get("SHAMON_BIN", f"{ROOT}/build/bin")


class BenchError(RuntimeError):
    """Said to the user as it is, without a trace."""


def sh(command, check=True):
    """What a shell command prints."""
    ran = subprocess.run(command, shell=True, text=True, capture_output=True, stdin=subprocess.DEVNULL,
                         start_new_session=True)
    if check and ran.returncode != 0:
        raise BenchError(f"{command}: {(ran.stderr or ran.stdout).strip()}")
    return ran.stdout


def program(name):
    path = f"{BINARIES}/{name}"
    if not os.access(path, os.X_OK):
        raise BenchError(f"{path} is missing: tools/build release {os.path.basename(name)}")
    return path


def missing_programs(names):
    return [name for name in names if shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None]


def end(process, seconds=5):
    """Ends a process that this bench started, politely at first, and reaps it."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


@contextlib.contextmanager
def uninterrupted():
    """Signals wait until the block is done: making and removing things is not left half-way."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    arrived = []
    before = {number: signal.signal(number, lambda got, _: arrived.append(got)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if arrived:
            signal.raise_signal(arrived[0])


def run_group(words, seconds, **more):
    """Runs a program that has children of its own; however this ends, none of them is left."""
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, text=True, start_new_session=True, **more) as process:
        try:
            out, err = process.communicate(timeout=seconds)
            return process.returncode, out, err
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


class Machines:
    """Some namespaces with processes and a folder; all go when the block ends, however it ends."""

    def __init__(self, name, *machines):
        self.prefix = f"bn{os.getpid()}{name[:6]}"
        self.names = {machine: self.prefix + machine for machine in machines}
        self.made, self.processes, self.folder = [], [], None

    def __enter__(self):
        try:
            self.folder = tempfile.mkdtemp(prefix="shamon-bench-")
            for ns in self.names.values():
                self.made.append(ns)
                sh(f"ip netns add {ns} && ip -n {ns} link set lo up")
            self.prepare()
        except BaseException:
            self.__exit__()
            raise
        return self

    def prepare(self):
        """For those that need more than empty namespaces."""

    def __exit__(self, *_):
        with uninterrupted():
            for process in reversed(self.processes):
                end(process)
            for ns in self.made:
                sh(f"ip netns del {ns}", check=False)
            if self.folder:
                shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, ns, words, environment=None, **streams):
        """A process in a namespace (none: here). Not reached by the terminal's signals: we end it."""
        inside = ["ip", "netns", "exec", ns] if ns else []
        with uninterrupted(), open(f"{self.folder}/{len(self.processes)}.log", "w") as log:
            process = subprocess.Popen([*inside, *words], **{
                "stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **streams},
                env={**os.environ, **(environment or {})}, cwd=self.folder, start_new_session=True)
            self.processes.append(process)
        return process

    def logs(self):
        return sh(f"tail -n 5 {self.folder}/*.log", check=False)

    def wait_for(self, ns, address, seconds=15):
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            if subprocess.run(["ip", "netns", "exec", ns, "ping", "-n", "-q", "-c1", "-W1", address],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
                return
            time.sleep(0.1)
        raise BenchError(f"{address} did not answer\n{self.logs()}")


class Pair(Machines):
    """Two machines a and b, 192.0.2.1 and .2, on one veth."""

    def __init__(self, name):
        super().__init__(name, "a", "b")
        self.a, self.b = self.names["a"], self.names["b"]

    def prepare(self):
        sh(f"ip -n {self.a} link add up0 type veth peer name up0 netns {self.b}")
        for ns, address in ((self.a, "192.0.2.1"), (self.b, "192.0.2.2")):
            sh(f"ip -n {ns} addr add {address}/30 dev up0 && ip -n {ns} link set up0 up")


def cpu_seconds(pids):
    """Processor seconds of these processes so far: of their threads where the kernel counts ns."""
    total = 0.0
    for pid in pids:
        try:
            total += sum(int(open(f"/proc/{pid}/task/{task}/schedstat").read().split()[0])
                         for task in os.listdir(f"/proc/{pid}/task")) / 1e9
        except (FileNotFoundError, ProcessLookupError, IndexError):
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def halves_of_processors():
    """Two lists of processors; the same one twice if there is only one."""
    here = sorted(os.sched_getaffinity(0))
    return here[:(len(here) + 1) // 2], here[len(here) // 2:]


def pin_namespaces(namespaces, processors):
    """Every thread of every process in these namespaces stays on these processors from now on."""
    for pid in sh(" ; ".join(f"ip netns pids {ns}" for ns in set(namespaces))).split():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for task in os.listdir(f"/proc/{pid}/task"):
                os.sched_setaffinity(int(task), processors)


def memory_mb(pid):
    """Resident and proportional set size."""
    sizes = dict(line.split()[:2] for line in open(f"/proc/{pid}/smaps_rollup").readlines()[1:])
    return int(sizes["Rss:"]) / 1024, int(sizes["Pss:"]) / 1024


def last_json(text):
    return json.loads(text.strip().splitlines()[-1])


def run_bench(name, main):
    """Runs main() as root, with every ending turned into one that cleans up."""
    if os.geteuid() != 0:
        sys.exit(f"bench/{name} needs root for network namespaces")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _: sys.exit(128 + got))
    try:
        sys.exit(main())
    except BenchError as problem:
        sys.exit(f"bench/{name}: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
