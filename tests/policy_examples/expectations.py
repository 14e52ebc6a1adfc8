"""Reads an example's table of questions and answers (examples/NAME/NAME.expect).

One row a line, `#` starts a comment line:

    each NN : 01 02 03                       a row with NN then stands for three rows
    policy FILE                              the rows that follow ask this policy
    policy FILE, imported FILE.xml           ... and ask sHype's XML, imported, the same
    flow A B [SERVICE]    : allow|deny[, REASON[, TEXT OF THE RULE]]
    share A B             : allow|deny[, REASON[, TEXT OF THE RULE]]
    start A [beside B,C]  : allow|deny[, REASON[, TEXT OF THE RULE]]
    sends A               : B all, C some    all that A may send to, or `nothing`
    goals                 : hold | violated  all of them, or at least one not
    goal A never reaches B [except through G] : holds | A -> X -> B, the path that breaks it
    path A ~> B           : none | A -> X -> B
    what if added: LINE                      until `end`, of a copy with this line at its end
    what if replaced [in FILE]: TEXT         ... with TEXT, found exactly once,
    by: TEXT                                 replaced by this
    refused : TEXT                           the copy does not lint, and says TEXT
    end

`sends A : …, each attack` names each label whose name starts with `attack`. If a policy has one
`sends` row it needs one for every label: a table of what flows leaves nothing out.
"""
import dataclasses
import re


@dataclasses.dataclass
class Row:
    line: int
    question: str
    answer: str


@dataclasses.dataclass
class Change:
    file: str  # "" for the policy itself
    old: str   # "" to add at the end
    new: str


@dataclasses.dataclass
class Section:
    """Rows that ask the same texts."""
    line: int
    sources: list  # of (kind, file): ("policy", "a.policy") or ("imported", "a.xml")
    changes: list = dataclasses.field(default_factory=list)
    rows: list = dataclasses.field(default_factory=list)


class Malformed(Exception):
    pass


def parse_sources(text):
    sources = []
    for part in text.split(","):
        words = part.split()
        if len(words) == 1:
            sources.append(("policy", words[0]))
        elif len(words) == 2 and words[0] == "imported":
            sources.append(("imported", words[1]))
        else:
            raise Malformed(f"not a policy: {part!r}")
    return sources


def expand(row, variables):
    """The rows that stand for this one; a row names at most one variable."""
    named = [v for v in variables if v in row.question or v in row.answer]
    if not named:
        return [row]
    if len(named) > 1:
        raise Malformed(f"line {row.line} names {' and '.join(named)}")
    return [Row(row.line, row.question.replace(named[0], value), row.answer.replace(named[0], value))
            for value in variables[named[0]]]


def parse(text):
    """The sections of a table, in order; Malformed with the line that is not a row."""
    variables, sections, plain, old = {}, [], None, None
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if match := re.fullmatch(r"each (\w+) : (.+)", line):
            variables[match[1]] = match[2].split()
        elif match := re.fullmatch(r"policy (.+)", line):
            plain = Section(number, parse_sources(match[1]))
            sections.append(plain)
        elif plain is None:
            raise Malformed(f"line {number} comes before the first policy")
        elif match := re.fullmatch(r"what if (added|replaced)(?: in (\S+))?: (.+)", line):
            if sections[-1] is plain or sections[-1].rows:
                sections.append(Section(number, plain.sources))
            old = match[3] if match[1] == "replaced" else None
            sections[-1].changes.append(
                Change(match[2] or "", old or "", "" if old else match[3]))
        elif line.startswith("by: "):
            if old is None:
                raise Malformed(f"line {number}: nothing to replace")
            sections[-1].changes[-1].new, old = line[4:], None
        elif line == "end":
            sections.append(Section(number, plain.sources))
        elif match := re.fullmatch(r"(.*?) +: (.+)", line):
            sections[-1].rows += expand(Row(number, " ".join(match[1].split()), match[2]), variables)
        else:
            raise Malformed(f"line {number} is not a row: {line}")
    return [section for section in sections if section.rows]
