#!/usr/bin/env python3
"""Imports sHype policies with the real `shamon` and compares what it then answers with what the XML
says, read here a second time and without a line of code in common.

usage: shype_meaning_test.py SHAMON XML [XML]        one policy: one file, or a policy and its labels
       shype_meaning_test.py SHAMON --folder FOLDER  every policy in it; exit 77 if it is not there

Two labels share iff they have a simple type enforcement type in common. A label starts iff no
conflict set would then have two different types running. All pairs of labels are asked, and every
start beside up to three labels.
"""
import concurrent.futures
import itertools
import os
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree


def local(element):
    return element.tag.rpartition("}")[2]


def find_all(root, *names):
    """Elements reached by child names, whatever the namespace."""
    found = [root]
    for name in names:
        found = [child for parent in found for child in parent if local(child) == name]
    return found


def texts(elements):
    stripped = ((element.text or "").strip() for element in elements)
    return {text for text in stripped if text}


class Shype:
    """A policy as its XML states it."""

    def __init__(self, files):
        roots = [ElementTree.parse(file).getroot() for file in files]
        self.conflicts = [texts(find_all(conflict, "Type")) for root in roots
                          for conflict in find_all(root, "ChineseWall", "ConflictSets", "Conflict")]
        templates = [t for root in roots for t in
                     ([root] if local(root) == "SecurityLabelTemplate"
                      else find_all(root, "SecurityLabelTemplate"))]
        self.vms, self.resources = {}, {}
        for template in templates:
            for kind, container, labels in (("VirtualMachineLabel", "SubjectLabels", self.vms),
                                            ("ResourceLabel", "ObjectLabels", self.resources)):
                for label in find_all(template, container, kind):
                    name, = texts(find_all(label, "Name"))
                    labels[name] = (texts(find_all(label, "SimpleTypeEnforcementTypes", "Type")),
                                    texts(find_all(label, "ChineseWallTypes", "Type")))

    def all_labels(self):
        """By the names docs/import-export.md promises."""
        out = dict(self.vms)
        for name, types in self.resources.items():
            while name in self.vms:
                name = "resource:" + name
            out[name] = types
        return out

    def may_start(self, label, running):
        there = set().union(*(self.vms[name][1] for name in (label, *running)))
        return all(len(conflict & there) < 2 for conflict in self.conflicts)


def questions(policy):
    labels = policy.all_labels()
    for a, b in itertools.product(labels, repeat=2):
        yield ["share", a, b], [], bool(labels[a][0] & labels[b][0])
    for label in policy.vms:
        for count in range(4):
            for running in itertools.combinations(policy.vms, count):
                yield ["start", label], running, policy.may_start(label, running)


def check(shamon, files, folder):
    policy = Shype(files)
    path = os.path.join(folder, "imported.policy")
    subprocess.run([shamon, "policy", "import", "shype", *map(str, files), "-o", path], check=True,
                   stderr=subprocess.DEVNULL, timeout=60)

    def ask(question):
        words, running, allowed = question
        options = ["--running", ",".join(running)] if running else []
        ran = subprocess.run([shamon, "policy", "decide", *options, "--", path, *words],
                             capture_output=True, text=True, timeout=60)
        if ran.returncode == (0 if allowed else 12):
            return None
        return f"{words} beside {running}: exit {ran.returncode}, the XML says {allowed}\n{ran.stderr}"

    asked = list(questions(policy))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        wrong = [answer for answer in pool.map(ask, asked) if answer]
    allowed = sum(1 for question in asked if question[2])
    print(f"{files[0].name}: {len(asked)} questions, {allowed} allowed, {len(wrong)} wrong answers")
    for answer in wrong[:10]:
        print("  " + answer)
    return len(asked), len(wrong)


def main():
    shamon = os.path.abspath(sys.argv[1])
    if sys.argv[2] == "--folder":
        folder = pathlib.Path(sys.argv[3])
        groups = [[path] for path in sorted(folder.glob("*.xml"))]
        if not groups:
            print(f"SKIPPED: no sHype policies in {folder}; they are third-party data beside the tree")
            return 77
    else:
        groups = [[pathlib.Path(path) for path in sys.argv[2:]]]
    failed = False
    with tempfile.TemporaryDirectory() as temporary:
        for files in groups:
            asked, wrong = check(shamon, files, temporary)
            failed |= wrong > 0
    return 1 if failed else 0


sys.exit(main())
