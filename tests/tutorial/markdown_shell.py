"""Runs what a Markdown page tells its reader to type, and compares what the reader is told to see.

Fenced blocks with these words after the fence take part; others are prose:

    ```policy file=NAME              the file's whole text
    ```policy append=NAME            lines added at its end
    ```console [needs=TOOL:PACKAGE]  commands, each after "$ ", and below each what it prints

Output is what a terminal shows, standard output and error as they come. "…" stands for any text
within a line, and alone on a line for any lines. A last line "(exit N)" states an exit code other
than 0. A block whose tool is not installed is skipped, and said to be.
"""
import dataclasses
import os
import pathlib
import pty
import re
import shutil
import subprocess


@dataclasses.dataclass
class Block:
    line: int  # of the fence
    language: str
    options: dict
    lines: list


@dataclasses.dataclass
class Command:
    line: int
    text: str
    expected: list
    exit_code: int = 0


@dataclasses.dataclass
class Failure:
    command: Command
    what: str
    exit_code: int
    got: list

    def describe(self):
        return "\n".join([f"{self.what}: {self.command.text}", "  expected:"] +
                         [f"    {line}" for line in self.command.expected] + ["  got:"] +
                         [f"    {line}" for line in self.got])


def blocks_of(text):
    """Every fenced block of a page, in order."""
    blocks, current = [], None
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.match(r"^```(.*)$", line)
        if fence and current is None:
            words = fence[1].split()
            options = dict(word.partition("=")[::2] for word in words[1:])
            current = Block(number, words[0] if words else "", options, [])
        elif fence:
            blocks.append(current)
            current = None
        elif current is not None:
            current.lines.append(line)
    if current is not None:
        raise ValueError(f"line {current.line}: the block does not end")
    return blocks


def commands_of(block):
    """The commands of a console block; a "\\" at a line's end continues it."""
    commands, continued = [], False
    for number, line in enumerate(block.lines, block.line + 1):
        if continued:
            commands[-1].text += "\n" + line.removeprefix("> ")
        elif line.startswith("$ "):
            commands.append(Command(number, line[2:], []))
        elif not commands:
            raise ValueError(f"line {number}: output before the first command")
        elif match := re.fullmatch(r"\(exit (\d+)\)", line):
            commands[-1].exit_code = int(match[1])
        else:
            commands[-1].expected.append(line)
        continued = (continued or line.startswith("$ ")) and line.endswith("\\")
    return commands


def matches(expected, got):
    """True if the lines got are the lines expected, "…" standing for anything."""
    pattern = ""
    for line in expected:
        if line.strip() == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*?".join(re.escape(part) for part in line.rstrip().split("…")) + r"[ ]*\n"
    return re.fullmatch(pattern, "".join(line + "\n" for line in got)) is not None


def run_on_terminal(command, folder, environment, limit_s=60):
    """(exit code, lines) of a command as a terminal shows them."""
    master, slave = pty.openpty()
    process = subprocess.Popen(["bash", "-c", command], cwd=folder, env=environment,
                               stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
                               start_new_session=True)
    os.close(slave)
    shown = b""
    try:
        while chunk := os.read(master, 65536):
            shown += chunk
    except OSError:  # EIO: the last writer has closed its end
        pass
    os.close(master)
    code = process.wait(timeout=limit_s)
    return code, shown.decode(errors="replace").replace("\r\n", "\n").splitlines()


class Reader:
    """One reader with one folder, who types a page from its first block to its last."""

    def __init__(self, folder, shamon):
        self.folder = pathlib.Path(folder)
        self.environment = {
            "PATH": f"{pathlib.Path(shamon).resolve().parent}:{os.environ.get('PATH', '')}",
            "HOME": str(self.folder), "LC_ALL": "C.UTF-8", "TERM": "dumb", "NO_COLOR": "1"}
        self.commands = 0
        self.skipped = []  # "TOOL (package PACKAGE)"
        self.failures = []

    def read(self, text):
        for block in blocks_of(text):
            if block.language == "console":
                self.type_commands(block)
            elif "file" in block.options:
                self.write(block.options["file"], "w", block)
            elif "append" in block.options:
                self.write(block.options["append"], "a", block)

    def write(self, name, mode, block):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open(mode) as file:
            file.write("".join(line + "\n" for line in block.lines))

    def type_commands(self, block):
        for need in filter(None, block.options.get("needs", "").split(",")):
            tool, _, package = need.partition(":")
            if shutil.which(tool, path=self.environment["PATH"] + ":/usr/sbin:/sbin") is None:
                self.skipped.append(f"line {block.line}: no {tool} here (Debian package {package})")
                return
        for command in commands_of(block):
            self.commands += 1
            code, got = run_on_terminal(command.text, self.folder, self.environment)
            if code != command.exit_code:
                what = f"exit {code}, not {command.exit_code}"
                self.failures.append(Failure(command, what, code, got))
            elif not matches(command.expected, got):
                self.failures.append(Failure(command, "prints something else", code, got))


def with_what_was_seen(text, failures):
    """The page with each failed command's real output, for its writer to read and judge."""
    lines = text.splitlines()
    for failure in reversed(failures):
        first = failure.command.line + failure.command.text.count("\n")
        last = first
        while not lines[last].startswith(("$ ", "```")):
            last += 1
        code = [f"(exit {failure.exit_code})"] if failure.exit_code else []
        lines[first:last] = [line.rstrip() for line in failure.got] + code
    return "\n".join(lines) + "\n"
