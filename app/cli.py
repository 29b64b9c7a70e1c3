"""The command line: which part of Watchfloor is wanted, and with what settings."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import getpass
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.bench_names import BENCHES
from core.kernel.errors import ConsoleError
from core.kernel.paths import Folders, default_folders
from core.kernel.settings import Settings, SettingsFault, load_settings

if TYPE_CHECKING:
    from core.cameras.model import Camera

EXIT_OK, EXIT_FAILED, EXIT_WARNINGS = 0, 1, 2

START_THRESHOLD = 200_000
"""New objects before the collector looks at them while a node starts."""

THREAD_TURN_S = 0.0005
"""How long a thread of the node may hold up its loop; with Python's 5 ms an alarm waits for whoever reads history."""


def main(argv: Sequence[str]) -> int:
    """Run what the arguments ask for; returns the process's exit code."""
    options = make_parser().parse_args(argv)
    try:
        return int(options.run(options))
    except ConsoleError as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130


def make_parser() -> argparse.ArgumentParser:
    """Describe every verb; without one the console opens."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--data", type=Path, metavar="FOLDER", help="where everything is kept")
    common.add_argument("--settings", type=Path, metavar="FILE", help="settings in TOML")
    common.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="one setting; beats file and environment",
    )
    parser = argparse.ArgumentParser(prog="watchfloor", description=__doc__, parents=[common])
    parser.set_defaults(run=run_console)
    _add_console_options(parser)
    verbs = parser.add_subparsers(metavar="VERB")

    node = verbs.add_parser("node", help="the node without a screen", parents=[common])
    node.add_argument("--demo", action="store_true", help="run the demo city")
    node.add_argument("--while-used", action="store_true", help="end when the last console has left")
    node.set_defaults(run=run_node)

    test = verbs.add_parser("self-test", help="check this installation", parents=[common])
    test.add_argument("--json", action="store_true", help="print JSON")
    test.set_defaults(run=run_self_test)

    detect = verbs.add_parser("detect", help="analyse a clip or stream without a screen", parents=[common])
    detect.add_argument("source", help="address or file")
    detect.add_argument("--model", default="", help="name or path; the bundled demonstration model by default")
    detect.add_argument("--zones", type=Path, help="zones and lines, JSON or TOML")
    detect.add_argument("--json", action="store_true", help="JSON lines (the only format; accepted for scripts)")
    detect.set_defaults(run=run_detect)

    dry_run = verbs.add_parser("dry-run", help="what the rules would have raised over footage", parents=[common])
    dry_run.add_argument("source", help="address or file")
    dry_run.add_argument("--camera", metavar="ID", help="the scene of this camera, as it is stored")
    dry_run.add_argument("--zones", type=Path, metavar="FILE", help="a scene, JSON or TOML")
    dry_run.add_argument("--model", default="", help="name or path; the bundled demonstration model by default")
    dry_run.add_argument("--json", action="store_true", help="print JSON")
    dry_run.set_defaults(run=run_dry_run)

    bench = verbs.add_parser("bench", help="measure against a reference", parents=[common])
    bench.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=", ".join(BENCHES),
    )
    bench.add_argument("--minutes", type=float, help="length of the soak (20) and of sync (10)")
    bench.add_argument("--json", action="store_true", help="one JSON object a bench")
    bench.add_argument("--clip", type=Path, help="another clip than the default one")
    bench.add_argument("--model", default="", help="another model than the default one")
    bench.set_defaults(run=run_bench)

    _add_evaluate(verbs, common)
    _add_parking(verbs)

    export = verbs.add_parser("export-model", help="convert .pt weights to ONNX; needs torch")
    export.add_argument("files", nargs="+", metavar="FILE", help="the weights, the ONNX file to write, and its size")
    export.set_defaults(run=run_export_model)

    administrator = verbs.add_parser(
        "create-administrator", help="make the first account of a running node, without a window", parents=[common]
    )
    administrator.add_argument("name", help="who will sign in")
    administrator.set_defaults(run=run_create_administrator)

    _add_broker_config(verbs)

    _add_field(verbs)
    _add_gateway(verbs, common)

    audit = verbs.add_parser("audit", help="the append-only audit", parents=[common])
    audit.add_argument("action", choices=["verify"])
    audit.add_argument("--json", action="store_true", help="print JSON")
    audit.set_defaults(run=run_audit)
    return parser


def _add_broker_config(verbs: Any) -> None:
    broker = verbs.add_parser("broker-config", help="a Mosquitto with TLS and a certificate for every client")
    broker.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="made, or brought up to date")
    broker.add_argument(
        "--host", nargs="+", default=[], help="names and addresses under which clients reach the broker"
    )
    broker.add_argument(
        "--devices", nargs="+", default=[], metavar="FILE|ID", help="GROUP/DEVICE, or files with one a line"
    )
    broker.add_argument("--core", nargs="+", default=["core"], metavar="NAME", help="nodes that listen; default core")
    broker.add_argument("--system", nargs="+", default=[], help="frigate, home-assistant, sparkplug, reader")
    broker.add_argument("--revoke", nargs="+", default=[], metavar="ID", help="take these certificates back")
    broker.add_argument("--tenant", default="", help="third part of every topic; default city")
    broker.add_argument("--port", type=int, default=0, help="default 8883")
    broker.add_argument("--user", default="", help="system user the broker runs as; for root mosquitto, else you")
    broker.set_defaults(run=run_broker_config)


def _add_field(verbs: Any) -> None:
    from core.field.client.arguments import add_arguments

    client = verbs.add_parser("field-client", help="a field device: one that bridges lines of JSON, or simulated ones")
    add_arguments(client)
    client.set_defaults(run=run_field_client)

    schemas = verbs.add_parser("field-schemas", help="AsyncAPI, OpenAPI and JSON Schemas of what devices and core say")
    schemas.add_argument("--out", type=Path, default=Path("docs/field"), metavar="DIR", help="where to write them")
    schemas.set_defaults(run=run_field_schemas)


def _add_gateway(verbs: Any, common: argparse.ArgumentParser) -> None:
    key = verbs.add_parser("gateway-key", help="keys for the HTTP gateway of a running node", parents=[common])
    key.add_argument("--user", default="", metavar="NAME", help="a supervisor; the demonstration needs none")
    key.add_argument("--json", action="store_true", help="print JSON")
    actions = key.add_subparsers(metavar="ACTION", required=True, dest="action")
    actions.add_parser("list", help="every key, when it was last seen, and what was refused")
    add = actions.add_parser("add", help="make a key; it is printed once")
    add.add_argument("name", help="the device or system that will hold it")
    add.add_argument("--lot", default="", help="of an edge camera: the lot it looks at")
    add.add_argument("--camera", default="", help="and the camera's id")
    add.add_argument("--drone", default="", help="id of a drone; without any of these, a key that only reads")
    revoke = actions.add_parser("revoke", help="take a key back")
    revoke.add_argument("key_id", help="as gateway-key list shows it")
    key.set_defaults(run=run_gateway_key)

    from core.gateway.edge.arguments import add_arguments

    edge = verbs.add_parser("edge-client", help="an edge camera: takes pictures and posts them to a gateway")
    add_arguments(edge)
    edge.set_defaults(run=run_edge_client)


def _add_evaluate(verbs: Any, common: argparse.ArgumentParser) -> None:
    evaluate = verbs.add_parser("evaluate", help="judge against labelled test data", parents=[common])
    evaluate.add_argument("what", choices=["vision"])
    evaluate.add_argument("folder", type=Path, help="the test data")
    evaluate.add_argument("--json", action="store_true", help="print one JSON object")
    evaluate.add_argument("--model", default="", help="another model than the test data's weights")
    evaluate.add_argument(
        "--cache",
        type=Path,
        metavar="FOLDER",
        help="where it is kept what the detector found: about 1 MB for a second of a clip, and 6 MB more while it runs",
    )
    evaluate.add_argument("--truth", type=Path, metavar="FOLDER", help="where counts.json and incidents.json lie")
    evaluate.add_argument("--parts", default="", help="detection,tracking,counts,congestion,collisions; default all")
    evaluate.add_argument("--rates", default="5,8,10", help="pictures a second at which collisions are judged")
    evaluate.add_argument("--minutes", type=float, default=5.0, help="how long each normal clip is looped at each rate")
    evaluate.add_argument("--seed", type=int, default=1, help="of the cuts between two rounds of a loop")
    evaluate.set_defaults(run=run_evaluate)


def _add_parking(verbs: Any) -> None:
    parking = verbs.add_parser("parking", help="lots and bays, without a screen").add_subparsers(
        metavar="WHAT", required=True
    )
    sight = parking.add_parser("evaluate", help="judge the look at bays on labelled pictures of lots")
    sight.add_argument("folder", type=Path, help="one labelled lot, or a folder of them")
    sight.add_argument("--json", action="store_true", help="print one JSON object")
    sight.add_argument("--model", default="", help="another model than the weights near the test data")
    sight.add_argument("--truth", type=Path, metavar="FILE", help="parking_truth.json, for clips")
    sight.add_argument("--data", type=Path, metavar="FOLDER", help="data folder; keeps the converted model")
    sight.set_defaults(run=run_sight_evaluation)
    forecast = parking.add_parser("forecast-evaluate", help="judge forecasts of lots on public series, split by time")
    forecast.add_argument("folder", type=Path, help="birmingham_uci.csv.gz, and Dresden's parquet with its meta-data")
    forecast.add_argument("--parts", default="birmingham,dresden", help="which of them; default both")
    forecast.add_argument("--json", action="store_true", help="print one JSON object")
    forecast.set_defaults(run=run_forecast_evaluation)


def _add_console_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--demo", action="store_true", help="the demo city")
    parser.add_argument("--node", metavar="HOST:PORT", help="use this node instead of starting one")
    parser.add_argument("--for", dest="for_s", type=float, metavar="SECONDS", help="end by itself")
    parser.add_argument("--screenshot", type=Path, metavar="FILE", help="picture of the window before the end")
    parser.add_argument("--start-report", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--size", metavar="WxH", help="size of the window")


def folders_of(options: argparse.Namespace) -> Folders:
    """Return the folders that the arguments name; the demo keeps its own."""
    if options.data is not None:
        return default_folders(options.data)
    plain = default_folders()
    return default_folders(plain.data / "demo") if getattr(options, "demo", False) else plain


def settings_of(options: argparse.Namespace, folders: Folders) -> tuple[Settings, tuple[SettingsFault, ...]]:
    """Merge arguments, environment and file."""
    file = options.settings
    if file is None:
        beside_data = folders.data / "watchfloor.toml"
        file = beside_data if beside_data.exists() else None
    arguments: dict[str, dict[str, Any]] = {}
    faults: list[SettingsFault] = []
    for item in options.set:
        name, is_pair, value = item.partition("=")
        section, has_key, key = name.partition(".")
        if not is_pair or not has_key:
            faults.append(SettingsFault(origin="arguments", key=item, reason="write it as SECTION.KEY=VALUE"))
            continue
        arguments.setdefault(section, {})[key] = value
    settings, more = load_settings(file, arguments)
    return settings, (*faults, *more)


def run_console(options: argparse.Namespace) -> int:
    """Open the window."""
    from app.bootstrap import ConsoleOptions, open_console

    folders = folders_of(options)
    settings, faults = settings_of(options, folders)
    passed_on = [argument for item in options.set for argument in ("--set", item)]
    if options.settings is not None:
        passed_on += ["--settings", str(options.settings.resolve())]
    if options.demo:
        passed_on.append("--demo")
    size = None
    if options.size:
        width, _, height = options.size.partition("x")
        size = (int(width), int(height))
    return open_console(
        ConsoleOptions(
            settings=settings,
            faults=faults,
            folders=folders,
            node=options.node or settings.link.node,
            node_arguments=tuple(passed_on),
            for_s=options.for_s,
            screenshot=options.screenshot,
            size=size,
            start_report=options.start_report,
        )
    )


def run_node(options: argparse.Namespace) -> int:
    """Run the node until it is told to end."""
    # What a start makes stays: looking through it again and again takes a tenth of the start.
    usual = gc.get_threshold()
    gc.set_threshold(START_THRESHOLD)
    from core.kernel.log import start_logging
    from core.node.node import Node

    folders = folders_of(options)
    settings, faults = settings_of(options, folders)
    start_logging(folders.logs, "node")
    sys.setswitchinterval(THREAD_TURN_S)

    def on_open() -> None:
        # What was made for the room stays: looking through it again would hold up an alarm for a fifth of a second,
        # and looking through it now the first console; there is next to nothing in it to collect.
        gc.freeze()
        gc.set_threshold(*usual)

    async def run() -> bool:
        node = Node(
            settings,
            folders,
            faults=faults,
            is_demo=options.demo,
            is_while_used=options.while_used,
            on_open=on_open,
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers on a loop.
                loop.add_signal_handler(number, node.stop_soon)
        await node.run()
        if node.failure:
            print(node.failure, file=sys.stderr)
        return not node.has_failed

    return EXIT_OK if asyncio.run(run()) else EXIT_FAILED


def run_self_test(options: argparse.Namespace) -> int:
    """Check the installation."""
    from app.self_test import exit_code, self_test
    from core.kernel.wire import to_json

    folders = folders_of(options)
    checks = self_test(folders, settings_of(options, folders)[0])
    code = exit_code(checks)
    if options.json:
        print(to_json({"exit": code, "checks": checks}))
        return code
    for check in checks:
        print(f"{check.status.value:8} {check.name:12} {check.message} {check.hint}".rstrip())
    return code


def run_detect(options: argparse.Namespace) -> int:
    """Analyse one source."""
    from core.vision.detect import run_detect as run

    return run(options.source, options.model, options.zones, sys.stdout, models_folder=folders_of(options).models)


def run_dry_run(options: argparse.Namespace) -> int:
    """List what a scene's rules would have raised over footage, and what would have called by the shipped rules."""
    from core.incidents.rehearsal import rehearse
    from core.incidents.rules.book import shipped_book
    from core.media.model import SourceSpec
    from core.vision.dry_run import run_dry_run as run
    from core.vision.model import DEFAULT_LABELS, Scene
    from core.vision.scene_file import read_scene

    folders = folders_of(options)
    labels: tuple[str, ...] = DEFAULT_LABELS
    scene, detect_fps, name = Scene(), 8.0, "this camera"
    if options.camera:
        camera = _stored_camera(options, folders)
        name = camera.name
        labels, scene, detect_fps = camera.labels, camera.scene, camera.detect_fps or detect_fps
    elif options.zones is not None:
        scene = read_scene(options.zones)
    return run(
        SourceSpec(address=options.source, realtime=False),
        scene,
        sys.stdout,
        models_folder=folders.models,
        model=options.model,
        labels=labels,
        detect_fps=detect_fps,
        rehearse=partial(rehearse, book=shipped_book(), camera_name=name),
        as_json=options.json,
    )


def _stored_camera(options: argparse.Namespace, folders: Folders) -> Camera:
    from core.cameras.service import CameraService
    from core.kernel.bus import Bus
    from core.kernel.clock import SystemClock
    from core.kernel.secrets import Secrets
    from core.store.engine import open_store, sqlite_url

    settings, _ = settings_of(options, folders)
    if not settings.store.url and not folders.database.exists():
        raise ConsoleError(f"There is no database in {folders.data}.", hint="Name the folder with --data.")

    async def run() -> Camera:
        url = settings.store.url or sqlite_url(folders.database)
        store = open_store(url, backups=folders.backups, clock=SystemClock())
        try:
            return await CameraService(store, Bus(), SystemClock(), Secrets()).get(options.camera)
        finally:
            await store.close()

    return asyncio.run(run())


def run_export_model(options: argparse.Namespace) -> int:
    """Convert one model; prints its progress as JSON lines."""
    from core.vision.export import run_export

    return run_export(options.files)


def run_create_administrator(options: argparse.Namespace) -> int:
    """Ask for a password, or take `WATCHFLOOR_SECRET_ADMINISTRATOR`, and make the first account."""
    from app.connection import read_node_file
    from core.kernel.secrets import Secrets
    from core.link.client import LinkClient

    folders = folders_of(options)
    address = read_node_file(folders.node_file)
    if address is None:
        raise ConsoleError(f"No node runs on {folders.data}.", hint="Start it first: main.py node.")
    password = Secrets().get_secret("administrator") or getpass.getpass("Password: ")

    async def run() -> None:
        client = LinkClient(on_push=lambda _topic, _data: None, on_gone=lambda _reason: None)
        await client.connect(address.host, address.port)
        try:
            await client.call(
                "session.create_administrator", name=options.name, password=password, desk="node", key=address.key
            )
        finally:
            await client.close()

    asyncio.run(run())
    print(f"{options.name} is administrator.")
    return EXIT_OK


def run_gateway_key(options: argparse.Namespace) -> int:
    """List, make or revoke keys, as the user who signs in."""
    from app.gateway_keys import run_gateway_key as run

    return run(options, folders_of(options))


def run_edge_client(options: argparse.Namespace) -> int:
    """Be an edge camera until told to end."""
    from core.gateway.edge.command import run_edge_client as run

    return run(options)


def run_broker_config(options: argparse.Namespace) -> int:
    """Make or change the folder from which a broker runs, and say what is left to do by hand."""
    from core.field.broker_config import BrokerWish, read_device_list, revoke, write_broker
    from core.kernel.clock import SystemClock

    folder: Path = options.out.resolve()
    now = SystemClock().now()
    if options.revoke:
        users = revoke(folder, options.revoke, now)
        print(f"Taken back: {', '.join(users)}. Tell the broker: systemctl reload mosquitto (or SIGHUP).")
        return EXIT_OK
    devices: list[str] = []
    for named in options.devices:
        file = Path(named)
        if file.is_file():
            devices += read_device_list(file.read_text(encoding="utf-8"))
        elif file.suffix:
            raise ConsoleError(f"There is no file {named}.", hint="Name a list of devices, or ids as group/device.")
        else:
            devices.append(named)
    wish = BrokerWish(
        tenant=options.tenant,
        hosts=tuple(options.host),
        port=options.port,
        cores=tuple(options.core),
        devices=tuple(devices),
        systems=tuple(options.system),
        broker_user=options.user,
    )
    report = write_broker(folder, wish, now)
    clients = folder / "clients"
    n_issued = len(report.issued)
    print(f"{folder}: {n_issued} new certificate{'' if n_issued == 1 else 's'} for clients, in {clients}.")
    if report.is_new:
        print(f"Start the broker:  mosquitto -c {folder / 'mosquitto.conf'}")
        print("Settings of the node:")
        print(f'  [broker]\n  host = "{report.site.hosts[0]}"\n  port = {report.site.port}\n  tls = true')
        print(f'  ca_file = "{folder / "ca.crt"}"')
        print(f'  certificate_file = "{clients / "core.crt"}"\n  key_file = "{clients / "core.key"}"')
        print(f'  folder = "{folder}"    # only where consoles may issue certificates: the node then writes there')
        print(f"Keep {folder / 'ca.key'} apart, with a copy: who has it can make clients.")
    elif report.has_new_server:
        print("The broker has a new certificate: systemctl restart mosquitto.")
    elif report.issued:
        print("Tell the broker: systemctl reload mosquitto (or SIGHUP).")
    return EXIT_OK


def run_field_client(options: argparse.Namespace) -> int:
    """Be a field device until told to end."""
    from core.field.client.command import run_field_client as run

    return run(options)


def run_field_schemas(options: argparse.Namespace) -> int:
    """Write the grammar of the field for other people's programs."""
    from core.gateway.asyncapi import write_all
    from core.gateway.http.openapi import write_openapi

    try:
        files = [*write_all(options.out), write_openapi(options.out)]
    except OSError as error:
        raise ConsoleError(
            f"{options.out} cannot be written: {error.strerror}.", hint="Name another folder."
        ) from error
    print(f"{len(files)} files in {options.out}.")
    return EXIT_OK


def run_bench(options: argparse.Namespace) -> int:
    """Run benches one after the other."""
    from app.bench import run_benches

    return run_benches(
        options.names, clip=options.clip, model=options.model, minutes=options.minutes, as_json=options.json
    )


def run_evaluate(options: argparse.Namespace) -> int:
    """Judge vision against test data."""
    from core.vision.evaluate import Evaluation, parts_of, rates_of
    from core.vision.evaluate import run_evaluate as run

    folders = folders_of(options)
    beside_source = Path(__file__).resolve().parents[1] / "tests" / "fixtures"
    order = Evaluation(
        folder=options.folder,
        truth=options.truth or beside_source,
        cache=options.cache or folders.models / "evaluated",
        models=folders.models,
        model=options.model,
        loop_s=60 * options.minutes,
        seed=options.seed,
        rates=rates_of(options.rates),
        parts=parts_of(options.parts),
    )
    return run(order, sys.stdout, as_json=options.json)


def run_sight_evaluation(options: argparse.Namespace) -> int:
    """Judge the look at bays."""
    from core.parking.sight.evaluate import SightEvaluation
    from core.parking.sight.evaluate import run_sight_evaluation as run

    beside_source = Path(__file__).resolve().parents[1] / "tests" / "fixtures"
    order = SightEvaluation(
        folder=options.folder,
        models=folders_of(options).models,
        truth=options.truth or beside_source,
        model=options.model,
    )
    return run(order, sys.stdout, as_json=options.json)


def run_forecast_evaluation(options: argparse.Namespace) -> int:
    """Judge forecasts of lots."""
    from core.parking.forecast.evaluate import run_evaluation

    parts = tuple(part.strip() for part in options.parts.split(","))
    return run_evaluation(options.folder, sys.stdout, parts=parts, as_json=options.json)


def run_audit(options: argparse.Namespace) -> int:
    """Check the hash chain of the audit."""
    from core.access.audit import verify
    from core.kernel.clock import SystemClock
    from core.kernel.wire import to_json
    from core.store.engine import open_store, sqlite_url

    folders = folders_of(options)
    settings, _ = settings_of(options, folders)

    async def run() -> int:
        url = settings.store.url or sqlite_url(folders.database)
        store = open_store(url, backups=folders.backups, clock=SystemClock())
        try:
            verdict = await verify(store)
        finally:
            await store.close()
        if options.json:
            print(to_json(verdict))
        elif verdict.ok:
            print(f"The audit is whole: {verdict.n_rows} rows.")
        else:
            print(f"The audit was changed at row {verdict.first_bad_sequence}: {verdict.reason}")
        return EXIT_OK if verdict.ok else EXIT_FAILED

    if not settings.store.url and not folders.database.exists():
        raise ConsoleError(f"There is no database in {folders.data}.", hint="Name the folder with --data.")
    return asyncio.run(run())
