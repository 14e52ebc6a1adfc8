#!/usr/bin/env python3
"""Asks the real `shamon` every question of an example's table, and compares its answers.

usage: examples_test.py SHAMON examples/NAME/NAME.expect

Exit 0: every answer as expected; 1: not.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import expectations


class Policy:
    """One policy file, and what shamon says about it."""

    def __init__(self, shamon, path):
        self.shamon, self.path = shamon, path

    def run(self, verb, *arguments):
        # From its folder: places then name files as the table does.
        return subprocess.run([self.shamon, "policy", verb, self.path.name, *arguments],
                              cwd=self.path.parent, capture_output=True, text=True, timeout=60)

    def data(self, verb, *arguments):
        ran = self.run(verb, *arguments, "--json")
        if ran.returncode not in (0, 12, 13):
            raise RuntimeError(f"exit {ran.returncode}: {ran.stderr.strip()}")
        return ran.returncode, json.loads(ran.stdout)["data"]

    def decide(self, question):
        words = question.split()
        if words[0] == "start" and len(words) == 4 and words[2] == "beside":
            words[2:] = ["--running", words[3]]
        elif words[0] == "flow" and len(words) == 4:
            words[3:] = ["--service", words[3]]
        code, data = self.data("decide", *words)
        if code != (0 if data["verdict"] == "allow" else 12):
            raise RuntimeError(f"{data['verdict']}, but exit {code}")
        rule = data["rule"]["text"] if data["rule"] else ""
        return data["verdict"], data["reason"], rule

    def sends(self):
        """{label: {label: "all" or "some"}}, from the table that `show` prints."""
        shown = self.run("show")
        table = shown.stdout[shown.stdout.index("from \\ to"):].splitlines()
        names = table[0].split()[3:]
        rows = [line.split() for line in table[1:] if line]
        return {row[0]: {to: cell for to, cell in zip(names, row[1:], strict=True) if cell != "-"}
                for row in rows}


def path_text(steps):
    if not steps:
        return "none"
    return " -> ".join([steps[0]["from"]] + [step["to"] for step in steps])


def expected_sends(answer, labels):
    out = {}
    for part in [] if answer == "nothing" else answer.split(","):
        words = part.split()
        if words[0] == "each":
            out |= {label: "some" for label in labels if label.startswith(words[1] + "-")}
        else:
            out[words[0]] = words[1]
    return out


def check_decision(policy, row):
    want = [part.strip() for part in row.answer.split(",", 2)]
    verdict, reason, rule = policy.decide(row.question)
    same = (verdict == want[0] and (len(want) < 2 or reason == want[1]) and
            (len(want) < 3 or want[2] in rule))
    return None if same else f"{verdict}, {reason}, {rule}"


def check_goals(policy, row):
    code, data = policy.data("flow", "--goals")
    if row.question == "goals":
        got = "hold" if data["violated"] == 0 else "violated"
        if (got == "hold") != (code == 0) or not data["goals"]:
            return f"{data['violated']} of {len(data['goals'])} violated, exit {code}"
        return None if got == row.answer else got
    named = [goal for goal in data["goals"]
             if " ".join(goal["goal"].split("#")[0].split()) == row.question]
    if len(named) != 1:
        return f"{len(named)} goals read so"
    got = "holds" if named[0]["holds"] else path_text(named[0]["path"])
    return None if got == row.answer else got


def check_path(policy, row):
    question = row.question.removeprefix("path ")
    code, data = policy.data("flow", question)
    got = path_text(data["path"])
    if code != (13 if data["path"] else 0):
        return f"{got}, but exit {code}"
    return None if got == row.answer else got


def check_refused(policy, row):
    ran = policy.run("lint")
    refused = ran.returncode == 2 and row.answer in ran.stderr
    return None if refused else f"exit {ran.returncode}: {ran.stderr.strip()}"


def check(policy, row):
    """None, or what shamon said instead."""
    kind = row.question.split()[0]
    if kind in ("flow", "share", "start"):
        return check_decision(policy, row)
    if kind in ("goal", "goals"):
        return check_goals(policy, row)
    if kind == "path":
        return check_path(policy, row)
    if kind == "refused":
        return check_refused(policy, row)
    raise expectations.Malformed(f"line {row.line}: {kind!r} is no question")


def check_sends(policy, rows):
    """Yields (line, question, expected, got) for rows that differ, and for labels without a row."""
    if not rows:
        return
    got = policy.sends()
    for row in rows:
        label = row.question.removeprefix("sends ")
        found = got.pop(label, None)
        if found != expected_sends(row.answer, policy.sends()):
            shown = "no such label" if found is None else ", ".join(
                f"{to} {what}" for to, what in found.items()) or "nothing"
            yield row.line, row.question, row.answer, shown
    for label in got:
        yield rows[-1].line, f"sends {label}", "a row", "none"


def changed_copy(folder, section, file):
    """A copy of the example's folder with the section's changes; its policy."""
    for change in section.changes:
        path = folder / (change.file or file)
        text = path.read_text()
        if change.old:
            if text.count(change.old) != 1:
                raise expectations.Malformed(
                    f"line {section.line}: {text.count(change.old)} of {change.old!r}")
            text = text.replace(change.old, change.new)
        else:
            text += change.new + "\n"
        path.write_text(text)
    return folder / file


def ask(shamon, example, section, source, scratch):
    """Yields every difference, as check_sends."""
    kind, file = source
    folder = scratch / "example"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(example, folder)
    if kind == "imported":
        imported = subprocess.run([shamon, "policy", "import", "shype", file, "-o", "imported.policy"],
                                  cwd=folder, capture_output=True, text=True, timeout=60)
        if imported.returncode != 0:
            raise RuntimeError(f"import of {file}: exit {imported.returncode}: {imported.stderr}")
        file = "imported.policy"
    policy = Policy(shamon, changed_copy(folder, section, file))
    sends = [row for row in section.rows if row.question.startswith("sends ")]
    yield from check_sends(policy, sends)
    for row in section.rows:
        if row in sends:
            continue
        try:
            got = check(policy, row)
        except RuntimeError as error:
            got = str(error)
        if got is not None:
            yield row.line, row.question, row.answer, got


def not_canonical(shamon, example):
    """The example's policy files that `fmt` would write otherwise."""
    for path in sorted(example.rglob("*.policy")):
        ran = Policy(shamon, path).run("fmt")
        if ran.returncode != 0 or ran.stdout != path.read_text():
            yield path


def main(shamon, table):
    table = pathlib.Path(table)
    shamon = str(pathlib.Path(shamon).resolve())
    asked = wrong = 0
    for path in not_canonical(shamon, table.parent):
        wrong += 1
        print(f"{path}: not in canonical form; see `shamon policy fmt`")
    with tempfile.TemporaryDirectory(prefix="shamon-example-") as scratch:
        for section in expectations.parse(table.read_text()):
            for source in section.sources:
                asked += len(section.rows)
                for line, question, expected, got in ask(shamon, table.parent, section, source,
                                                         pathlib.Path(scratch)):
                    wrong += 1
                    print(f"{table}:{line}: {source[1]}: {question}\n"
                          f"    expected {expected}\n    shamon   {got}")
    print(f"{table.name}: {asked} questions, {wrong} wrong answers")
    if asked == 0:
        print("nothing was asked")
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
