"""A Dockerfile read and walked in plain folders: what its image holds, without an engine.

A folder for each stage stands for its file system. Absolute paths below ROOTS in RUN and ENV are moved
into it; all else that a RUN step names is this machine's, so the Dockerfile may only write below ROOTS.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOTS = ("opt", "build")
_ABSOLUTE = re.compile(rf"(?<![\w./])/(?={'|'.join(ROOTS)}(?:[/:\s\"]|$))")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, its flags (`--from=x`) taken off."""

    name: str
    text: str
    flags: dict[str, str]

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)


@dataclass(slots=True)
class Stage:
    """What a stage left: its folder, environment and settings."""

    name: str
    base: str
    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    args: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "root"
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    copied: list[tuple[str, str]] = field(default_factory=list)

    def path(self, absolute: str) -> Path:
        return (
            self.folder
            / os.path.normpath(f"{self.workdir}/{absolute}" if absolute[0] != "/" else absolute)[1:]
        )

    def moved(self, text: str) -> str:
        return _ABSOLUTE.sub(f"{self.folder}/", text)


def read(text: str) -> Iterator[Instruction]:
    """The instructions, comments dropped and continued lines joined."""
    lines = [line for line in text.splitlines() if not re.match(r"\s*#", line)]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            flags = {}
            while name != "HEALTHCHECK" and (flag := re.match(r"\s*--([\w-]+)=(\S+)\s+", rest)):
                flags[flag[1]] = flag[2]
                rest = rest[flag.end() :]
            yield Instruction(name, rest.strip(), flags)


def ignored(patterns: list[str], path: str) -> bool:
    """Whether .dockerignore hides a path: the last pattern that matches it or a parent decides."""
    verdict = False
    parents = [path, *(str(parent) for parent in Path(path).parents)]
    for pattern in patterns:
        expression = (
            re.escape(pattern.removeprefix("!")).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
        )
        if any(re.fullmatch(expression, parent) for parent in parents):
            verdict = not pattern.startswith("!")
    return verdict


class Build:
    """Walk a Dockerfile; `bases` is the folder whose bin has the base image's Python."""

    def __init__(self, context: Path, target: Path, bases: Path) -> None:
        self._context, self._target, self._bases = context, target, bases
        lines = (context / ".dockerignore").read_text().splitlines()
        self._ignore = [line for line in lines if line and not line.startswith("#")]
        self.stages: dict[str, Stage] = {}
        self._args: dict[str, str] = {}

    def run(self) -> Stage:
        """Carry out every instruction; returns the last stage."""
        stage: Stage | None = None
        for step in read((self._context / "Dockerfile").read_text()):
            if step.name == "FROM":
                stage = self._from(step)
            elif stage is None:
                assert step.name == "ARG", step
                name, _, value = step.text.partition("=")
                self._args[name] = value
            else:
                getattr(self, f"_{step.name.lower()}")(stage, step)
        assert stage is not None
        return stage

    def _from(self, step: Instruction) -> Stage:
        base, *rest = step.words
        name = rest[1] if rest else "final"
        stage = Stage(name, _expand(base, self._args), self._target / name)
        stage.folder.mkdir(parents=True)
        stage.env["PATH"] = f"{self._bases}/bin:/usr/bin:/bin"
        # A Python that was built shared looks for itself where it was installed.
        stage.env["LD_LIBRARY_PATH"] = f"{self._bases}/lib"
        self.stages[name] = stage
        return stage

    def _arg(self, stage: Stage, step: Instruction) -> None:
        name, _, value = step.text.partition("=")
        stage.args[name] = value

    def _env(self, stage: Stage, step: Instruction) -> None:
        # Docker expands all of one ENV with what was set before it.
        before = stage.args | stage.env
        for word in step.words:
            name, _, value = word.partition("=")
            stage.env[name] = stage.moved(_expand(value, before))

    def _workdir(self, stage: Stage, step: Instruction) -> None:
        stage.workdir = step.text
        stage.path(step.text).mkdir(parents=True, exist_ok=True)

    def _copy(self, stage: Stage, step: Instruction) -> None:
        *sources, target = step.words
        assert set(step.flags) <= {"from"}, step
        origin = self.stages[step.flags["from"]] if "from" in step.flags else None
        for source in sources:
            if origin and not any(origin.folder.iterdir()):
                # An image from elsewhere, whose files are not here.
                stage.copied.append((origin.base, source))
                continue
            found = origin.path(source) if origin else self._context / source
            into = stage.path(target) / found.name if target.endswith("/") else stage.path(target)
            self._copy_one(found, into, filtered=origin is None)

    def _copy_one(self, source: Path, into: Path, *, filtered: bool) -> None:
        def leave_out(folder: str, names: list[str]) -> list[str]:
            if not filtered:
                return []
            at = Path(folder).relative_to(self._context)
            return [name for name in names if ignored(self._ignore, str(at / name))]

        assert not leave_out(str(source.parent), [source.name]), f".dockerignore leaves out {source}"
        if source.is_dir():
            shutil.copytree(source, into, symlinks=True, ignore=leave_out)
        else:
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, into)

    def _run(self, stage: Stage, step: Instruction) -> None:
        done = subprocess.run(
            ["/bin/sh", "-c", stage.moved(step.text)],
            env=os.environ | stage.env,
            cwd=stage.path(stage.workdir),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _label(self, stage: Stage, step: Instruction) -> None:
        assert all("=" in word for word in step.words)

    def _expose(self, stage: Stage, step: Instruction) -> None:
        assert _expand(step.text, stage.env).isdigit()

    def _user(self, stage: Stage, step: Instruction) -> None:
        stage.user = step.text

    def _healthcheck(self, stage: Stage, step: Instruction) -> None:
        stage.health = json.loads(step.text.partition("CMD ")[2])

    def _cmd(self, stage: Stage, step: Instruction) -> None:
        stage.command = json.loads(step.text)


def _expand(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], text)
