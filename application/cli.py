"""The command line: demo and serve; export, list and such without HTTP; fetch and verify as a client."""

import argparse
import gc
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from application import __version__
from application.adapter import check_adapter, default_port
from application.allowances import raise_file_limit
from application.errors import DownloadError
from application.introduction import room_for
from application.lifespan import check_settings
from application.service import open_service
from application.settings import Settings, read_settings
from application.telemetry.logs import uvicorn_log_config
from application.telemetry.requests import PROMETHEUS
from application.telemetry.shared import shared_metrics
from application.transfers import transfer, write_whole

if TYPE_CHECKING:
    import uvicorn

# For clients, storage and the spool; more is no use to one process.
MOST_FILES = 1 << 16
# Above the 4 s for which the Lambda Web Adapter keeps its connections to the application.
KEEP_ALIVE_SECONDS = 65
# For fetch and verify; not an option, which every user of the machine could see.
KEY_VARIABLE = "DOWNLOAD_API_KEY"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status, 1 for a download that could not be made."""
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except DownloadError as error:
        print(f"download-lambda: {error}", file=sys.stderr)
        return 1
    return status


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    made = argparse.ArgumentParser(prog="download-lambda", description=__doc__)
    made.add_argument("--version", action="version", version=__version__)
    commands = made.add_subparsers(required=True, metavar="COMMAND")

    shown = commands.add_parser("demo", help="make demo datasets and serve them")
    shown.add_argument("--folder", type=Path, default=Path(".demo"), help="where the datasets go")
    _add_address(shown)
    shown.set_defaults(run=_demo, workers=1)

    served = commands.add_parser("serve", help="serve DATASET_BUCKET")
    _add_address(served)
    served.add_argument("--workers", type=_count, default=1, metavar="N", help="processes; 1 by default")
    served.set_defaults(run=_serve)

    exported = commands.add_parser("export", help="write one download to a file")
    exported.add_argument("download", metavar="DATASET.FORMAT")
    _add_parameters(exported)
    exported.add_argument("-o", "--output", required=True, type=Path, metavar="FILE")
    exported.set_defaults(run=_export)

    listed = commands.add_parser("list", help="list the datasets of DATASET_BUCKET")
    _add_json(listed)
    listed.set_defaults(run=_list)

    described = commands.add_parser("describe", help="tell what is known of a dataset")
    described.add_argument("dataset", metavar="DATASET")
    _add_json(described)
    described.set_defaults(run=_describe)

    estimated = commands.add_parser("estimate", help="tell what a download would be, without making it")
    estimated.add_argument("download", metavar="DATASET[.FORMAT]")
    _add_parameters(estimated)
    _add_json(estimated)
    estimated.set_defaults(run=_estimate)

    fetched = commands.add_parser("fetch", help="download a URL to a file, resumed and verified")
    fetched.add_argument("url", metavar="URL")
    _add_parameters(fetched)
    fetched.add_argument("-o", "--output", type=Path, metavar="FILE", help="as the URL names it, by default")
    fetched.set_defaults(run=_fetch)

    verified = commands.add_parser("verify", help="say whether a file is all of a URL's download")
    verified.add_argument("file", type=Path, metavar="FILE")
    verified.add_argument("url", metavar="URL")
    _add_parameters(verified)
    verified.add_argument("--etag", metavar="ETAG", help="the ETag that the file came with")
    verified.set_defaults(run=_verify)
    return made


def _add_parameters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "parameters",
        nargs="*",
        type=_parameter,
        metavar="PARAMETER=VALUE",
        help="as in the query string, but as plain text",
    )


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs: as the service answers it")


def _parameter(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark:
        raise argparse.ArgumentTypeError(f"{text!r} is not PARAMETER=VALUE")
    return name, value


def _url(options: argparse.Namespace) -> str:
    """The URL of a download with the parameters that were given beside it."""
    more = urlencode(options.parameters, quote_via=quote)
    return f"{options.url}{'&' if '?' in options.url else '?'}{more}" if more else str(options.url)


def _add_address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=default_port(os.environ))


def _count(text: str) -> int:
    if (count := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return count


def _demo(options: argparse.Namespace) -> int:
    from application import demo

    demo.make_demo(options.folder)
    os.environ["DATASET_BUCKET"] = options.folder.resolve().as_uri()
    os.environ.setdefault("ENVIRONMENT", "development")
    print("\nTry:")
    for url, shows in demo.urls(options.port):
        print(f"  {url}\n      {shows}")
    print(flush=True)
    return _serve(options)


def _serve(options: argparse.Namespace) -> int:
    # All that is loaded stays, so nobody looks for garbage in it, now or later.
    gc.disable()
    try:
        settings = read_settings()
        config = _config(options, settings)
        if options.workers == 1:
            config.load()
            gc.freeze()
    finally:
        gc.enable()
    import uvicorn

    from application import workers

    if options.workers == 1:
        server = uvicorn.Server(config)
        with suppress(KeyboardInterrupt):
            server.run()
        return 0 if server.started else uvicorn.config.STARTUP_FAILURE
    with shared_metrics() if settings.metrics == PROMETHEUS else nullcontext():
        return workers.serve(config)


def _config(options: argparse.Namespace, settings: Settings) -> "uvicorn.Config":
    """How the server runs; ends the command where it cannot."""
    import uvicorn

    from application.protocol import HttpProtocol

    # Here, for a server tells what is wrong with them by a traceback.
    check_settings(settings)
    check_adapter(options.port, os.environ)
    raise_file_limit(MOST_FILES)
    return uvicorn.Config(
        "application.main:app",
        host=options.host,
        port=options.port,
        workers=options.workers,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        lifespan="on",
        http=HttpProtocol,
        # uvloop resets who comes when all files are in use; with the other they wait.
        loop="asyncio" if room_for(settings).tight else "auto",
        # It would believe whoever calls from this machine; TRUSTED_PROXIES says whom the service believes.
        proxy_headers=False,
        # After the service's own grace period, for what even a broken tape does not end.
        timeout_graceful_shutdown=int(settings.grace_seconds) + 5,
        log_config=uvicorn_log_config(settings.log_format),
    )


def _export(options: argparse.Namespace) -> int:
    from application.downloads.plan import Request

    name, _, extension = options.download.rpartition(".")
    with closing(open_service(read_settings())) as service:
        plan = service.downloads.plan(Request(name, extension, tuple(options.parameters)))
        size = write_whole(service.downloads, plan, options.output)
    if plan.missing:
        print(f"The dataset has no column {', '.join(plan.missing)}.", file=sys.stderr)
    print(f"{options.output}: {size:,} bytes", file=sys.stderr)
    return 0


def _list(options: argparse.Namespace) -> int:
    from application import tables
    from application.downloads.offer_json import catalogue_json

    with closing(open_service(read_settings())) as service:
        if looked := service.listing.refresh():
            looked.result()
        _tell(options, catalogue_json(service.listing.seen), tables.show_catalogue)
    return 0


def _describe(options: argparse.Namespace) -> int:
    from application import tables
    from application.downloads.offer_json import offer_json

    with closing(open_service(read_settings())) as service:
        _tell(options, offer_json(service.offers.of(options.dataset)), tables.show_description)
    return 0


def _estimate(options: argparse.Namespace) -> int:
    from application import tables
    from application.downloads.plan import Request

    name, _, extension = options.download.partition(".")
    with closing(open_service(read_settings())) as service:
        found = service.estimates.now(Request(name, extension, tuple(options.parameters)))
        _tell(options, found.to_json(), tables.show_estimate)
    return 0


def _tell(options: argparse.Namespace, told: dict[str, Any], show: Callable[[dict[str, Any]], None]) -> None:
    """Print what a resource of the service tells, as JSON or as tables."""
    if options.json:
        print(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        show(told)


def _fetch(options: argparse.Namespace) -> int:
    from application.client.fetch import fetch

    with transfer("fetch") as show:
        try:
            output, size = fetch(_url(options), options.output, show, key=os.environ.get(KEY_VARIABLE))
        except KeyboardInterrupt:
            print("download-lambda: stopped; run it again to go on", file=sys.stderr)
            return 130
    print(f"{output}: {size:,} bytes, complete", file=sys.stderr)
    return 0


def _verify(options: argparse.Namespace) -> int:
    from application.client.verify import verify

    verdict = verify(options.file, _url(options), options.etag, key=os.environ.get(KEY_VARIABLE))
    print(verdict.words)
    return 0 if verdict.is_complete else 1
