"""Two machines with a shamon-gate each, driven by build/bin/bench/gate_driver."""
import subprocess

from .machine import BenchError, Machines, end, program, sh, uninterrupted


class GateLab(Machines):
    """The driver makes and removes its own namespaces; processes started here end before them."""

    def __init__(self, gate=None, *options):
        super().__init__("gate")
        self.words = [program("bench/gate_driver"), *(["--gate", gate] if gate else []), *options]
        self.driver = None

    def prepare(self):
        with uninterrupted(), open(f"{self.folder}/driver.log", "w") as log:
            self.driver = subprocess.Popen(self.words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                           text=True, start_new_session=True)
        self.a, self.b, pid_a, pid_b = self.answer()
        self.pids = [int(pid_a), int(pid_b)]

    def __exit__(self, *_):
        with uninterrupted():
            for process in reversed(self.processes):
                end(process)
            self.processes = []
            if self.driver is not None:
                self.driver.stdin.close()
                try:
                    self.driver.wait(20)
                except subprocess.TimeoutExpired:
                    self.driver.kill()
                    self.driver.wait()
                # A driver that failed half-way leaves namespaces that carry its number.
                for line in sh("ip netns list").splitlines():
                    if line.startswith(f"sg{self.driver.pid}-"):
                        sh(f"ip netns del {line.split()[0]}", check=False)
            super().__exit__()

    def answer(self):
        line = self.driver.stdout.readline().split()
        if not line or line[0] != "ok":
            raise BenchError("gate_driver: " + (" ".join(line) or "ended\n" + self.logs()))
        return line[1:]

    def ask(self, *words):
        self.driver.stdin.write(" ".join(map(str, words)) + "\n")
        self.driver.stdin.flush()
        return self.answer()

    def domain(self, machine, port, vm, label, address):
        return self.ask("domain", machine, port, vm, label, address)[0]

    def statistics(self, machine):
        words = self.ask("statistics", machine)
        return {name: int(value) for name, value in zip(words[::2], words[1::2])}

    def green_pair(self):
        """A client on a, a server on b, and the association between: their namespaces, the address."""
        client = self.domain("a", 1, "client", "green", "10.77.0.1")
        server = self.domain("b", 1, "server", "green", "10.77.0.2")
        self.spi = int(self.ask("pair", 1, "green")[0])
        self.wait_for(client, "10.77.0.2")
        return client, server, "10.77.0.2"
