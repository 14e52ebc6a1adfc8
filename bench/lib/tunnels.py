"""What T1 compares: ours, the bare veth, and the peers that Debian packages, each as two machines.

Each function is a context manager that gives a Tunnel: from namespace `client` the `address` in
namespace `server` is reached, and `pids` do the work.
"""
import contextlib
import dataclasses
import os
import subprocess
import time

from .gate import GateLab
from .machine import BenchError, Machines, Pair, missing_programs, program, sh

INNER = "10.78.0.2"


@dataclasses.dataclass
class Tunnel:
    machines: Machines
    client: str
    server: str
    address: str
    pids: list
    wire: tuple = None  # namespace, address and UDP port where an attacker reaches the server's daemon


@contextlib.contextmanager
def ours(gate=None, *options):
    with GateLab(gate, *options) as lab:
        client, server, address = lab.green_pair()
        yield Tunnel(lab, client, server, address, lab.pids, (lab.a, "192.0.2.2", 4500))


@contextlib.contextmanager
def veth():
    with Pair("veth") as pair:
        yield Tunnel(pair, pair.a, pair.b, "192.0.2.2", [])


@contextlib.contextmanager
def blind():
    """TAPs and UDP and nothing else: what a tunnel in user space costs before it does any work."""
    with Pair("blind") as pair, Machines("blvm", "va", "vb") as vms:
        va, vb = vms.names.values()
        pids = []
        for number, ns, vm in ((1, pair.a, va), (2, pair.b, vb)):
            wire = vms.start(None, [program("bench/udp_wire"), ns, vm, f"192.0.2.{3 - number}"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            if wire.stdout.readline() != b"ready\n":
                raise BenchError(f"udp_wire did not start\n{vms.logs()}")
            pids.append(wire.pid)
            # Whole frames, each in one run of datagrams; the MTU is that of a gate's domains.
            sh(f"ip -n {vm} link set vm0 gso_max_size 60000 mtu 1420 up && "
               f"ip -n {vm} addr add 10.77.0.{number}/16 dev vm0")
        vms.wait_for(va, "10.77.0.2")
        yield Tunnel(pair, va, vb, "10.77.0.2", pids)


def tunnel_of(pair, port):
    pids = [process.pid for process in pair.processes]
    pair.wait_for(pair.a, INNER)
    return Tunnel(pair, pair.a, pair.b, INNER, pids, (pair.a, "192.0.2.2", port))


def certificates(folder):
    """A CA and two ends, for OpenVPN's TLS."""
    new = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -batch"
    sh(f"cd {folder} && {new} -x509 -days 2 -subj /CN=ca -keyout ca.key -out ca.crt 2>&1")
    for name in ("a", "b"):
        sh(f"cd {folder} && {new} -subj /CN={name} -keyout {name}.key -out {name}.csr 2>&1 && "
           f"openssl x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 "
           f"-out {name}.crt 2>&1")


@contextlib.contextmanager
def openvpn():
    with Pair("ovpn") as pair:
        certificates(pair.folder)
        common = ["openvpn", "--dev", "tun0", "--dev-type", "tun", "--proto", "udp", "--ca", "ca.crt",
                  "--data-ciphers", "AES-256-GCM", "--cipher", "AES-256-GCM", "--lport", "1194",
                  "--rport", "1194", "--verb", "1"]
        pair.start(pair.b, common + ["--tls-server", "--dh", "none", "--remote", "192.0.2.1", "--cert",
                                     "b.crt", "--key", "b.key", "--ifconfig", INNER, "10.78.0.1"])
        pair.start(pair.a, common + ["--tls-client", "--remote", "192.0.2.2", "--cert", "a.crt", "--key",
                                     "a.key", "--ifconfig", "10.78.0.1", INNER])
        yield tunnel_of(pair, 1194)


@contextlib.contextmanager
def nebula():
    with Pair("nebula") as pair:
        sh(f"cd {pair.folder} && nebula-cert ca -name bench -duration 48h && "
           "nebula-cert sign -name a -ip 10.78.0.1/24 && nebula-cert sign -name b -ip 10.78.0.2/24")
        for name, ns, other in (("a", pair.a, 2), ("b", pair.b, 1)):
            with open(f"{pair.folder}/{name}.yml", "w") as config:
                config.write(
                    f"pki: {{ca: ca.crt, cert: {name}.crt, key: {name}.key}}\n"
                    f"static_host_map: {{'10.78.0.{other}': ['192.0.2.{other}:4242']}}\n"
                    "lighthouse: {am_lighthouse: false}\n"
                    f"listen: {{host: 192.0.2.{3 - other}, port: 4242}}\n"
                    "cipher: aes\ntun: {dev: nebula1, mtu: 1300}\n"
                    "firewall:\n  outbound: [{port: any, proto: any, host: any}]\n"
                    "  inbound: [{port: any, proto: any, host: any}]\n")
            pair.start(ns, ["nebula", "-config", f"{name}.yml"])
        yield tunnel_of(pair, 4242)


@contextlib.contextmanager
def wireguard_go():
    with Pair("wggo") as pair:
        keys = {}
        for name in ("a", "b"):
            sh(f"cd {pair.folder} && umask 077 && wg genkey > {name}.key")
            keys[name] = sh(f"wg pubkey < {pair.folder}/{name}.key").strip()
        for name, ns, other, mine, its in (("a", pair.a, "b", 1, 2), ("b", pair.b, "a", 2, 1)):
            # Its control socket is named after the device, for the whole machine.
            device = f"bwg{name}{os.getpid() % 1000000}"
            control = f"/var/run/wireguard/{device}.sock"
            pair.start(ns, ["wireguard-go", "-f", device], {"WG_PROCESS_FOREGROUND": "1", "LOG_LEVEL": "error"})
            wait_for_file(control, pair)
            sh(f"ip netns exec {ns} wg set {device} listen-port 51820 private-key "
               f"{pair.folder}/{name}.key peer {keys[other]} allowed-ips 10.78.0.{its}/32 "
               f"endpoint 192.0.2.{its}:51820")
            sh(f"ip -n {ns} addr add 10.78.0.{mine}/24 dev {device} && ip -n {ns} link set {device} up")
        yield tunnel_of(pair, 51820)


def wait_for_file(path, pair):
    limit = time.monotonic() + 10
    while not os.path.exists(path):
        if time.monotonic() > limit:
            raise BenchError(f"{path} did not come up\n{pair.logs()}")
        time.sleep(0.05)


def strongswan_files(folder, name, mine, its):
    """strongswan.conf and swanctl.conf of one end. kernel-libipsec is its ESP in user space."""
    with open(f"{folder}/{name}.conf", "w") as conf:
        conf.write("charon-systemd {\n"
                   "  load = random nonce aesni openssl kdf hmac sha2 gcm pem pkcs1 pubkey x509 "
                   "kernel-libipsec kernel-netlink socket-default vici updown\n"
                   f"  plugins {{ vici {{ socket = unix://{folder}/{name}.vici }} }}\n"
                   f"  filelog {{ l {{ path = {folder}/{name}.log\n default = 1 }} }}\n}}\n")
    with open(f"{folder}/{name}.swan", "w") as swan:
        swan.write(f"connections {{ t {{ version = 2\n local_addrs = 192.0.2.{mine}\n"
                   f" remote_addrs = 192.0.2.{its}\n proposals = aes256gcm16-prfsha256-ecp256\n"
                   f" local {{ auth = psk\n id = {mine}.bench }}\n"
                   f" remote {{ auth = psk\n id = {its}.bench }}\n"
                   f" children {{ c {{ local_ts = 10.78.0.{mine}/32\n remote_ts = 10.78.0.{its}/32\n"
                   " esp_proposals = aes256gcm16 } } } }\n"
                   "secrets { ike { id-1 = 1.bench\n id-2 = 2.bench\n"
                   f" secret = \"bench of {os.path.basename(folder)}\" }} }}\n")


@contextlib.contextmanager
def strongswan():
    """Two charons without systemd, in two namespaces; traffic selectors are addresses of lo."""
    with Pair("sswan") as pair:
        for name, ns, mine, its in (("a", pair.a, 1, 2), ("b", pair.b, 2, 1)):
            sh(f"ip -n {ns} addr add 10.78.0.{mine}/32 dev lo")
            strongswan_files(pair.folder, name, mine, its)
            pair.start(ns, ["/usr/sbin/charon-systemd"], {"STRONGSWAN_CONF": f"{pair.folder}/{name}.conf"})
            vici = f"{pair.folder}/{name}.vici"
            wait_for_file(vici, pair)
            sh(f"swanctl --load-all --noprompt --file {pair.folder}/{name}.swan --uri unix://{vici}")
        sh(f"swanctl --initiate --child c --timeout 10 --uri unix://{pair.folder}/a.vici")
        yield tunnel_of(pair, 4500)


PEERS = {"openvpn": (openvpn, ["openvpn", "openssl"]),
         "nebula": (nebula, ["nebula", "nebula-cert"]),
         "wireguard-go": (wireguard_go, ["wireguard-go", "wg"]),
         "strongswan-libipsec": (strongswan, ["charon-systemd", "swanctl"])}


def peers_here(stack, wanted=None):
    """Enters every peer that is installed and comes up: its tunnel by name, and who is missing why."""
    tunnels, missing = {}, {}
    for name, (function, programs) in PEERS.items():
        if wanted and name not in wanted:
            continue
        absent = missing_programs(programs)
        if absent:
            missing[name] = "not installed: " + " ".join(absent)
            continue
        try:
            tunnels[name] = stack.enter_context(function())
        except BenchError as problem:
            missing[name] = f"not running: {problem}"
    return tunnels, missing
