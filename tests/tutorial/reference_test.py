#!/usr/bin/env python3
"""Holds the policy pages to what the language and the program are.

usage: reference_test.py SHAMON DOCS

- Every fenced block of docs/policy*.md that is a policy (it starts with `coalition`, or its fence
  says `policy`) lints without errors, and without notes but about members it leaves out. A fragment, without its `coalition` line,
  is linted with one put before it.
- Every `shamon policy VERB` and `--option` after it, in any page of docs/, README.md and examples/,
  exists; and some page of docs/ names every verb of `shamon policy`.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

import markdown_shell


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def verbs_of(shamon, *noun):
    """The names under "Subcommands:" of a help text."""
    text = run(shamon, *noun, "--help").stdout.partition("Subcommands:\n")[2]
    return re.findall(r"^  ([a-z][\w-]*)\b", text.partition("\n\n")[0], re.MULTILINE)


def policies_in(text):
    """(line, policy text) of every block that is a policy."""
    for block in markdown_shell.blocks_of(text):
        words = " ".join(block.lines).split()
        whole = "coalition" in words[:1] or any(line.startswith("coalition ") for line in block.lines)
        if whole and block.language in ("", "policy"):
            yield block.line, "\n".join(block.lines) + "\n"
        elif block.language == "policy" and not block.options:
            # Above the fragment nothing is added, so that its line numbers stay.
            yield block.line, "\n".join(block.lines) + "\ncoalition fragment revision 1\n"


# What an example on a page may leave open: which images and machines are members.
UNFINISHED = {"P109", "P110"}


def check_policies(shamon, page):
    """Yields what is wrong with a page's policies; returns through `count` how many there were."""
    with tempfile.TemporaryDirectory(prefix="shamon-reference-") as folder:
        for line, text in policies_in(page.read_text()):
            file = pathlib.Path(folder) / "block.policy"
            file.write_text(text)
            ran = run(shamon, "policy", "lint", str(file))
            notes = re.findall(r": note: .*\[(P\d+)\]$", ran.stderr, re.M)
            if ran.returncode != 0 or set(notes) - UNFINISHED:
                yield f"{page}:{line}: the policy does not lint cleanly:\n{ran.stderr}"


def check_commands(shamon, page, helps):
    """Yields verbs and options of `shamon policy` that a page names and the program has not."""
    for number, line in enumerate(page.read_text().splitlines(), 1):
        for match in re.finditer(r"shamon policy ([a-z]+)((?: [^`|;&#]*)?)", line):
            verb, rest = match[1], match[2]
            if verb not in helps:
                yield f"{page}:{number}: there is no `shamon policy {verb}`"
                continue
            for option in re.findall(r"(?<=\s)(--[a-z-]+)", rest):
                if option not in helps[verb]:
                    yield f"{page}:{number}: `shamon policy {verb}` has no {option}"


def main(shamon, docs):
    shamon, docs = str(pathlib.Path(shamon).resolve()), pathlib.Path(docs)
    verbs = verbs_of(shamon, "policy")
    helps = {verb: run(shamon, "policy", verb, "--help").stdout for verb in verbs}
    for verb in verbs:  # verbs of their own nouns: import shype, export cil
        for below in verbs_of(shamon, "policy", verb):
            helps[verb] += run(shamon, "policy", verb, below, "--help").stdout
    wrong, policies = [], 0
    unknown = run(shamon, "policy", "nonsense")
    if unknown.returncode != 2 or any(verb not in unknown.stderr for verb in verbs):
        wrong.append(f"an unknown verb is not answered with those there are: {unknown.stderr}")
    for page in sorted(docs.glob("policy*.md")):
        policies += len(list(policies_in(page.read_text())))
        wrong += check_policies(shamon, page)
    top = docs.parent
    for page in [top / "README.md", *sorted(docs.rglob("*.md")), *sorted(top.glob("examples/*/README.md"))]:
        wrong += check_commands(shamon, page, helps)
    named = "\n".join(page.read_text() for page in docs.rglob("*.md"))
    for verb in verbs:
        if not re.search(rf"`(?:shamon policy )?{verb}\b|policy {verb}\b", named):
            wrong.append(f"no page of docs/ names `shamon policy {verb}`")
    print("\n".join(wrong))
    print(f"{policies} policies, {len(verbs)} verbs, {len(wrong)} wrong")
    return 1 if wrong or policies == 0 or not verbs else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
