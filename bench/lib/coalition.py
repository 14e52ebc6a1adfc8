"""A laboratory of two machines a and b with everything real (TPM, authority, shamond, gate), for benches."""
import json
import os
import shutil
import subprocess

from .machine import BenchError, Machines, program, sh, uninterrupted

POLICY = """coalition bench revision 1
type green_t
label green { share green_t }
allow green <-> green
member host when platform in {lab} and attested within 60s
member vm green when image in {domain}
"""
LAB = """name = "NAME"
coalition = "bench"
policy = "bench.policy"
images = "."
[authority]
address = "10.90.0.1"
"""


class Coalition(Machines):
    """`pids` by role ("a/shamond"); namespace() of a machine or of the domains client and server."""

    TALK = ("10.90.0.12", 7443)  # where shamond of b answers the other machines
    MACHINES = (("a", 11), ("b", 12))
    VMS = (("client", "a", "10.77.1.10"), ("server", "b", "10.77.2.10"))
    MORE = ""  # lines for the laboratory's file

    def __init__(self):
        super().__init__("lab")
        self.name = f"bench{os.getpid()}"
        self.pids = {}

    def namespace(self, name):
        return f"shamon-{self.name}-{name}"

    def shamon(self, *words):
        return subprocess.run([program("shamon"), "lab", *words], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
                              env={**os.environ, "SHAMON_LAB_ROOT": f"{self.folder}/labs"}, timeout=120)

    def prepare(self):
        os.chmod(self.folder, 0o755)  # its daemons are not root
        text = self.MORE + LAB.replace("NAME", self.name)
        for name, number in self.MACHINES:
            text += f"[[machine]]\nname = \"{name}\"\naddress = \"10.90.0.{number}\"\n"
        for vm, machine, address in self.VMS:
            text += (f"[[vm]]\nname = \"{vm}\"\nmachine = \"{machine}\"\nlabel = \"green\"\nkind = \"domain\"\n"
                     f"image = \"domain\"\naddress = \"{address}\"\n")
        for name, content in (("bench.policy", POLICY), ("lab.toml", text)):
            with open(f"{self.folder}/{name}", "w") as file:
                file.write(content)
        with uninterrupted():
            ran = self.shamon("up", f"{self.folder}/lab.toml")
        if ran.returncode != 0:
            raise BenchError("shamon lab up: " + ran.stdout[-1000:])
        with open(f"{self.folder}/labs/{self.name}/lab.json") as state:
            self.pids = {one["role"]: one["pid"] for one in json.load(state)["processes"]}
        self.wait_until_ready()

    def wait_until_ready(self):
        self.wait_for(self.namespace("client"), "10.77.2.10")

    def __exit__(self, *_):
        with uninterrupted():
            # Processes in its namespaces end first; then the laboratory, then the folder.
            processes, self.processes = self.processes, []
            for process in reversed(processes):
                process.kill()
                process.wait()
            if self.folder and os.path.exists(f"{self.folder}/labs/{self.name}"):
                self.shamon("down", self.name)
            super().__exit__()


class Crowded(Coalition):
    """One real machine with one VM, and peers of it that bench/peer_load plays."""

    PERIOD = 10  # seconds between two challenges of a member or of a peer
    MACHINES = (("a", 11),)
    VMS = (("client", "a", "10.77.1.10"),)
    MORE = f"challenge_period_ms = {1000 * PERIOD}\n"

    def wait_until_ready(self):
        """`shamon lab up` has waited for the VM, and it has nobody to talk to yet."""

    def load(self, peers):
        """The program, begun; its words are on stdout."""
        lab = f"{self.folder}/labs/{self.name}"
        shutil.copy(f"{lab}/a/state/event.log", f"{self.folder}/event.log")
        return self.start(self.namespace("authority"), [
            program("bench/peer_load"), "--authority", "10.90.0.1:8443", "--ca", f"{lab}/authority/ca.pem",
            "--endorser", f"{lab}/endorser", "--event-log", f"{self.folder}/event.log", "--shamond", "10.90.0.11:7443",
            "--label", "green", "--peers", str(peers)], stdout=subprocess.PIPE, text=True)

    def connected_peers(self):
        """How many connections shamond has with peers."""
        return len(sh(f"ip netns exec {self.namespace('a')} ss -tnH state established sport = :7443").splitlines())
