"""What the image runs: the command and the environment that its Dockerfile gives."""

import json
import re
import shlex
import sys
from pathlib import Path

from tests.lambda_runtime.function import Image

ROOT = Path(__file__).parent.parent.parent
DOCKERFILE = ROOT / "Dockerfile"
# Where things lie in the image; here they lie elsewhere.
PLACES = {"PATH", "HOME", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONPYCACHEPREFIX"}
DEFAULT = """
ENV PORT=8000 AWS_LWA_INVOKE_MODE=response_stream AWS_LWA_READINESS_CHECK_PATH=/health
CMD ["python", "-m", "application", "serve", "--host", "0.0.0.0"]
"""


def image() -> Image:
    """The Dockerfile's last CMD and its last stage's ENV, to be run by this Python on any port."""
    text = DOCKERFILE.read_text() if DOCKERFILE.exists() else DEFAULT
    stage = re.sub(r"\\\n", " ", re.split(r"^FROM ", text, flags=re.MULTILINE)[-1])
    environment = {}
    for line in re.findall(r"^ENV (.+)$", stage, re.MULTILINE):
        environment |= dict(part.split("=", 1) for part in shlex.split(line))
    command = json.loads(re.findall(r"^CMD (\[.+\])$", stage, re.MULTILINE)[-1])
    port = environment["PORT"]
    program = Path(command[0]).name
    command[0] = (
        sys.executable if program.startswith("python") else str(Path(sys.executable).with_name(program))
    )
    return Image(
        tuple("{port}" if part == port else part for part in command),
        {
            name: "{port}" if value == port else value
            for name, value in environment.items()
            if name not in PLACES
        },
    )
