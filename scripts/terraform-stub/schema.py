"""The AWS provider's schema for what Terraform files use, read out of an npm package's bindings.

The bindings are made from the schema. Each argument has a comment that says whether it is needed, and an
entry with its type and whether it is a block.

usage: python schema.py PACKAGE.tgz INTEGRITY < FILES.tf > schema.json
"""

import base64
import hashlib
import json
import re
import sys
import tarfile
from pathlib import Path
from typing import Any

USED = re.compile(r'^(resource|data) "aws_(\w+)"', re.MULTILINE)
CLASS = re.compile(r"^class (\w+) extends .*?^\}", re.MULTILINE | re.DOTALL)
FUNCTION = re.compile(r"^function (\w+)ToHclTerraform\(.*?^\}", re.MULTILINE | re.DOTALL)
# The comment, and the two lines after it, in one of which the value is got.
NEED = re.compile(r"// (\w+) - computed: (\w+), optional: (\w+), required: (\w+)\n(.*\n.*\n.*)\n")
ENTRY = re.compile(
    r'^ +(\w+): \{\n +value: (.+),\n +isBlock: (\w+),\n +type: "(\w+)",\n +storageClassType: "(\w+)",\n',
    re.MULTILINE,
)
SIMPLE = {"string": "string", "number": "number", "boolean": "bool"}
COMPUTED = {"String": "string", "Number": "number", "Boolean": "bool", "List": ["list", "string"]}


def argument_type(kind: str, storage: str) -> Any:
    """Terraform's type in JSON; `dynamic`, which takes anything, for the few that are deeper."""
    if kind == "simple":
        return SIMPLE.get(storage, "dynamic")
    found = re.fullmatch(r"(string|number|boolean)(?:List|Map)", storage)
    return [kind, SIMPLE[found[1]]] if found else "dynamic"


class Bindings:
    """The classes and functions of one resource's file."""

    def __init__(self, text: str) -> None:
        self.classes = {found[1]: found[0] for found in CLASS.finditer(text)}
        self.functions = {found[1]: found[0] for found in FUNCTION.finditer(text)}
        read = sum(len(ENTRY.findall(body)) for body in (*self.classes.values(), *self.functions.values()))
        if read != text.count("isBlock:"):
            sys.exit(
                f"only {read} of {text.count('isBlock:')} entries of {next(iter(self.classes))} were read"
            )

    def schema(self) -> dict[str, Any]:
        """The resource's own block."""
        (main,) = (name for name, body in self.classes.items() if "synthesizeHclAttributes" in body)
        return self._block(self.classes[main], self.classes[main])

    def _block(self, needs: str, entries: str) -> dict[str, Any]:
        made: dict[str, Any] = {"attributes": {}, "blocks": {}}
        written = {name: entry for name, *entry in ENTRY.findall(entries)}
        # The provider's own blocks have no comments; there, nothing is said to be needed.
        told = NEED.findall(needs) or [(name, "false", "true", "false", "") for name in written]
        for name, *said, body in told:
            computed, optional, required = (word == "true" for word in said)
            value, is_block, kind, storage = written.get(name, ("", "", "", ""))
            if is_block == "true":
                single = kind == "struct"
                inner = storage if single else storage.removesuffix("List")
                made["blocks"][name] = {
                    "nesting": "single" if single else kind,
                    "min": int(required and not single),
                    "max": 0 if single or "listMapperHcl" in value else 1,
                    "block": self._block(
                        self.classes.get(f"{inner}OutputReference", ""),
                        self.functions[inner[0].lower() + inner[1:]],
                    ),
                }
                continue
            got = re.search(r"this\.get(\w+?)Attribute\(", body)
            made["attributes"][name] = {
                "type": argument_type(kind, storage)
                if kind
                else COMPUTED.get(got[1] if got else "", "dynamic"),
                "required": required,
                "optional": optional,
                "computed": computed,
            }
        return made


def main() -> None:
    """Write the schema; end with a line where the package is another, or lacks what is used."""
    package, integrity = Path(sys.argv[1]), sys.argv[2]
    digest = hashlib.sha512(package.read_bytes()).digest()
    if f"sha512-{base64.b64encode(digest).decode()}" != integrity:
        sys.exit(f"{package} is not the package that is pinned")
    wanted = {"package/lib/provider/index.js": ("provider", "")}
    for kind, name in USED.findall(sys.stdin.read()):
        folder = ("data-aws-" if kind == "data" else "") + name.replace("_", "-")
        group = "data" if kind == "data" else "resources"
        wanted[f"package/lib/{folder}/index.js"] = (group, f"aws_{name}")
    found: dict[str, Any] = {"provider": {}, "resources": {}, "data": {}}
    with tarfile.open(package) as files:
        for member in files:
            if member.name in wanted and (content := files.extractfile(member)):
                group, name = wanted.pop(member.name)
                schema = Bindings(content.read().decode()).schema()
                found[group].update({name: schema} if name else schema)
    if wanted:
        sys.exit(f"the provider has no {', '.join(name for _, name in wanted.values())}")
    json.dump(found, sys.stdout)


main()
