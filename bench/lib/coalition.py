"""A laboratory of two machines a and b with everything real (TPM, authority, shamond, gate), for benches."""
import json
import os
import subprocess

from .machine import BenchError, Machines, program, uninterrupted

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
        text = LAB.replace("NAME", self.name)
        for name, number in (("a", 11), ("b", 12)):
            text += f"[[machine]]\nname = \"{name}\"\naddress = \"10.90.0.{number}\"\n"
        for vm, machine, address in (("client", "a", "10.77.1.10"), ("server", "b", "10.77.2.10")):
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
