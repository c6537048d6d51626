"""Calling this very Lambda function again, asynchronously."""

import json
from collections.abc import Mapping
from typing import Any

from application.errors import StorageUnavailable


class SelfInvocation:
    """Sends events to a function by its name; Lambda answers at once and runs it in a sandbox of its own."""

    def __init__(self, function: str) -> None:
        self._function = function

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Queue one event; raises StorageUnavailable."""
        # 0.4 s to import, and only needed for results that no answer can carry.
        import botocore.session
        from botocore.exceptions import BotoCoreError, ClientError

        client = botocore.session.Session().create_client("lambda")
        try:
            client.invoke(
                FunctionName=self._function,
                InvocationType="Event",
                Payload=json.dumps(event).encode(),
            )
        except (BotoCoreError, ClientError) as error:
            raise StorageUnavailable("The export could not be started.") from error
        finally:
            client.close()
