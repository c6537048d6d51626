"""The command line: demo and serve; export, list and such without HTTP; fetch and verify as a client."""

import argparse
import gc
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from application import __version__
from application.adapter import default_port
from application.errors import DownloadError
from application.service import open_service
from application.settings import read_settings
from application.transfers import transfer, write_whole

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
        from application.server import configured, serve

        settings = read_settings()
        config = configured(settings, options.host, options.port, options.workers)
        gc.freeze()
    finally:
        gc.enable()
    return serve(config, settings)


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
