#!/usr/bin/env python3
"""Types everything a page tells its reader to type: the policy tutorial, an example's README.

usage: tutorial_test.py SHAMON PAGE.md [FOLDER]   in a copy of FOLDER, or in an empty one
       tutorial_test.py --write …     and put what was seen in place of what was not

Exit 0: all as the page says; 1: not; 77: as it says, but a tool is not installed here.
"""
import pathlib
import shutil
import sys
import tempfile

import markdown_shell


def self_check():
    """The comparison itself: what must match, and what must not."""
    for expected, got, same in [
            (["a", "b"], ["a", "b"], True),
            (["a"], ["a", "b"], False),
            (["a", "b"], ["a"], False),
            (["a", "…"], ["a"], True),
            (["a", "…", "d"], ["a", "b", "c", "d"], True),
            (["a", "…", "d"], ["a", "b", "c"], False),
            (["sha256:…  x"], ["sha256:00ff  x"], True),
            (["sha256:…  x"], ["sha256:00ff  y"], False),
            (["a.b"], ["aXb"], False),
            ([], ["a"], False)]:
        if markdown_shell.matches(expected, got) != same:
            raise AssertionError(f"{expected} against {got} should be {same}")


def main(shamon, page, start=None, write=False):
    self_check()
    page = pathlib.Path(page)
    with tempfile.TemporaryDirectory(prefix="shamon-tutorial-") as folder:
        if start:
            shutil.copytree(start, folder, dirs_exist_ok=True)
        reader = markdown_shell.Reader(folder, shamon)
        reader.read(page.read_text())
    for failure in reader.failures:
        print(f"{page}:{failure.command.line}: {failure.describe()}")
    if write:
        page.write_text(markdown_shell.with_what_was_seen(page.read_text(), reader.failures))
    for skipped in reader.skipped:
        print(f"SKIPPED {page.name} {skipped}")
    print(f"{page.name}: {reader.commands} commands, {len(reader.failures)} not as the page says")
    if reader.failures or reader.commands == 0:
        return 1
    return 77 if reader.skipped else 0


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--write"]
    if len(arguments) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(main(*arguments, write="--write" in sys.argv))
