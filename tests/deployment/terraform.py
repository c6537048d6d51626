"""Terraform's files, read far enough to follow references; their syntax is for `terraform fmt` to judge."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2] / "deploy" / "terraform"
MODULES = sorted(folder for kind in ("modules", "examples") for folder in (ROOT / kind).iterdir())


@dataclass(frozen=True, slots=True)
class Block:
    """A top-level block: its words (`resource`, `aws_x`, `this`) and what is between its braces."""

    words: tuple[str, ...]
    body: str

    @property
    def arguments(self) -> dict[str, str]:
        """The arguments at the block's own level, as text."""
        found, depth = {}, 0
        lines = iter(self.body.splitlines())
        for line in lines:
            if depth == 0 and (match := re.match(r"\s*(\w+)\s*=\s*(.*)", line)):
                name, value = match.groups()
                opened = _depth(value)
                while opened > 0:
                    more = next(lines)
                    opened += _depth(more)
                    value += "\n" + more
                found[name] = value
            else:
                depth += _depth(line)
        return found


def _depth(line: str) -> int:
    bare = re.sub(r'"(?:\\.|[^"\\])*"', '""', line)
    return sum(bare.count(opening) for opening in "{[(") - sum(bare.count(closing) for closing in "}])")


def text(folder: Path) -> str:
    """All of a module without its comments."""
    files = (file.read_text() for file in sorted(folder.glob("*.tf")))
    return "\n".join(re.sub(r"^\s*#.*$", "", file, flags=re.MULTILINE) for file in files)


def blocks(folder: Path) -> Iterator[Block]:
    """The top-level blocks of a module."""
    for found in re.finditer(r'^(\w+)((?: "[\w-]+")*) \{\n(.*?)^\}', text(folder), re.MULTILINE | re.DOTALL):
        yield Block((found[1], *re.findall(r'"([\w-]+)"', found[2])), found[3])
    for found in re.finditer(r'^(\w+)((?: "[\w-]+")*) \{\}', text(folder), re.MULTILINE):
        yield Block((found[1], *re.findall(r'"([\w-]+)"', found[2])), "")


def locals_of(folder: Path) -> dict[str, str]:
    """The local values of a module, as text."""
    return {
        name: value
        for block in blocks(folder)
        if block.words == ("locals",)
        for name, value in block.arguments.items()
    }


def names(folder: Path, kind: str) -> dict[str, Block]:
    """The blocks of a kind (variable, output, module) by their names."""
    return {block.words[1]: block for block in blocks(folder) if block.words[0] == kind}
