"""What a console may ask: thin verbs over the services, which check the role and do the work."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from core.access.model import Actor, Role, Session, User
from core.access.permission import require
from core.cameras.many import CameraAt, CameraEdit
from core.cameras.model import Camera, SceneVersion
from core.cameras.onvif.model import CameraDescription, Discovery, Preset, PtzHead, Velocity
from core.field.broker_config import CertificateOutcome, IssuedCertificate
from core.field.device_list import NewDevice
from core.field.event_log import DeviceEvent
from core.field.inventory import DeviceAt, DeviceEdit
from core.field.messages import DeviceMessage
from core.field.model import CommandOutcome, Device, DeviceCommand, RemovedDevice, Twin
from core.field.sheet import SPANS_S, DeviceSheet, History
from core.incidents.model import Clip, ClipInfo, Incident, SourceKind
from core.incidents.review import Outcome, PrecisionReport, ReviewFilter, ReviewItem, ReviewPage
from core.incidents.shift import Draft, ShiftKind
from core.kernel.errors import BadInputError, NotPermittedError, UnavailableError
from core.kernel.geo import GeoPoint
from core.kernel.portions import BulkOutcome
from core.link.protocol import PROTOCOL
from core.link.server import Peer, Verb
from core.media.model import ProbeResult, SourceSpec
from core.node.live import Snapshot
from core.node.model import Health, Picture, SiteInfo, Trend
from core.node.trend import trend_around
from core.node.verbs_alarms import alarm_verbs
from core.node.verbs_dispatch import dispatch_verbs, shift_verbs
from core.node.verbs_drones import drone_verbs
from core.node.verbs_gateway import gateway_verbs
from core.node.verbs_parking import parking_verbs
from core.node.verbs_rules import rule_verbs
from core.vision.dry_run_model import DryRun
from core.vision.flow import FlowMinute
from core.vision.model import Scene

if TYPE_CHECKING:
    from core.node.node import Node

OPEN_VERBS = frozenset(
    {"session.hello", "session.sign_in", "session.resume", "session.create_administrator", "session.demo"}
)
MAX_VIEW_PX = 4096


def actor_of(peer: Peer) -> Actor:
    """Return who sits at this console.

    Raises:
        NotPermittedError: Nobody is signed in.
    """
    session = peer.state.get("session")
    if not isinstance(session, Session):
        raise NotPermittedError("Nobody is signed in at this console.", hint="Sign in first.")
    return Actor(name=session.user.name, role=session.user.role, desk=session.desk)


def make_verbs(node: Node) -> dict[str, Verb]:
    """Return every verb by its name on the wire."""
    return {
        **_session_verbs(node),
        **_room_verbs(node),
        **_camera_verbs(node),
        **_scene_verbs(node),
        **_dry_run_verbs(node),
        **_onvif_verbs(node),
        **_ptz_verbs(node),
        **alarm_verbs(node, actor_of),
        **_incident_verbs(node),
        **_device_verbs(node),
        **_review_verbs(node),
        **dispatch_verbs(node, actor_of),
        **shift_verbs(node, actor_of),
        **rule_verbs(node, actor_of),
        **gateway_verbs(node, actor_of),
        **_user_verbs(node),
        **_traffic_verbs(node),
        **parking_verbs(node, actor_of),
        **drone_verbs(node, actor_of),
    }


def _session_verbs(node: Node) -> dict[str, Verb]:
    def enter(peer: Peer, session: Session) -> Session:
        peer.state["session"] = session
        peer.is_trusted = True
        return session

    def note(session: Session, kind: ShiftKind) -> None:
        words = "signed in" if kind is ShiftKind.SIGN_IN else "signed out"
        text = f"{session.user.name} {words}."
        node.shift_watch.add(Draft(kind=kind, text=text, actor=session.user.name, desk=session.desk))

    async def hello(peer: Peer, *, desk: str) -> SiteInfo:
        peer.state["desk"] = desk[:60]
        return SiteInfo(
            name=node.settings.site.name,
            node_id=node.node_id,
            version=node.version,
            protocol=PROTOCOL,
            is_demo=node.is_demo,
            is_ready=node.services is not None,
            needs_administrator=node.services is not None and await node.services.access.needs_administrator(),
            timezone=node.time_zone,
            basemap=node.basemap,
            center=node.center,
            notices=node.door_notices(),
        )

    async def sign_in(peer: Peer, *, name: str, password: str, desk: str) -> Session:
        session = enter(peer, await node.require_services().access.sign_in(name, password, desk))
        note(session, ShiftKind.SIGN_IN)
        return session

    async def resume(peer: Peer, *, token: str) -> Session:
        return enter(peer, await node.require_services().access.resume(token))

    async def create_administrator(peer: Peer, *, name: str, password: str, desk: str, key: str) -> Session:
        if not hmac.compare_digest(key.encode(), node.key.encode()):
            raise NotPermittedError(
                "The first administrator is made at the node's own machine.",
                hint="Start Watchfloor there, as the user who runs the node.",
            )
        return enter(peer, await node.require_services().access.create_first_administrator(name, password, desk))

    async def demo(peer: Peer, *, key: str, desk: str) -> Session:
        if not node.is_demo or not hmac.compare_digest(key.encode(), node.key.encode()):
            raise NotPermittedError("This node does not run the demonstration.", hint="Sign in.")
        session = enter(peer, await node.demo_session(desk))
        note(session, ShiftKind.SIGN_IN)
        return session

    async def sign_out(peer: Peer) -> None:
        session = peer.state.pop("session", None)
        peer.is_trusted = False
        node.let_go(peer)
        if isinstance(session, Session):
            await node.require_services().access.sign_out(session.token)
            note(session, ShiftKind.SIGN_OUT)

    return {
        "session.hello": hello,
        "session.sign_in": sign_in,
        "session.resume": resume,
        "session.create_administrator": create_administrator,
        "session.demo": demo,
        "session.sign_out": sign_out,
    }


def _room_verbs(node: Node) -> dict[str, Verb]:
    async def snapshot(peer: Peer) -> Snapshot:
        actor_of(peer)
        return await node.snapshot()

    async def show(peer: Peer, *, sizes: dict[str, tuple[int, int]], panel: str = "wall") -> None:
        actor_of(peer)
        node.vision_views_changed(
            peer,
            {key: (min(w, MAX_VIEW_PX), min(h, MAX_VIEW_PX)) for key, (w, h) in sizes.items() if w > 0 and h > 0},
            panel[:16],
        )

    async def set_device_enabled(peer: Peer, *, device_id: str, is_enabled: bool, version: int) -> None:
        await node.require_services().field.set_enabled(
            actor_of(peer), device_id, is_enabled=is_enabled, expect_version=version
        )

    async def report_sound(peer: Peer, *, reason: str) -> None:
        actor = actor_of(peer)
        node.take_desk_sound(peer, actor.desk, reason[:300])
        await node.require_services().sound_tests.see(actor.desk)

    async def note_sound_test(peer: Peer, *, is_heard: bool) -> None:
        actor = actor_of(peer)
        await node.require_services().sound_tests.note(actor, is_heard=is_heard)
        node.take_desk_sound(peer, actor.desk, "" if is_heard else f"{actor.name} did not hear the test sound.")

    async def issue_certificate(peer: Peer, *, device_id: str) -> IssuedCertificate:
        return await node.require_services().certificates.issue(actor_of(peer), device_id)

    async def revoke_certificate(peer: Peer, *, device_id: str) -> None:
        await node.require_services().certificates.revoke(actor_of(peer), device_id)

    async def rings(peer: Peer) -> dict[str, str]:
        actor_of(peer)
        return node.ring_files()

    async def picture(peer: Peer, *, camera_id: str, after: int) -> Picture:
        actor_of(peer)
        return await node.picture(camera_id, after)

    async def health(peer: Peer) -> Health | None:
        actor_of(peer)
        return node.health()

    return {
        "room.snapshot": snapshot,
        "room.show": show,
        "room.rings": rings,
        "desk.report_sound": report_sound,
        "desk.note_sound_test": note_sound_test,
        "room.health": health,
        "room.picture": picture,
        "devices.set_enabled": set_device_enabled,
        "devices.issue_certificate": issue_certificate,
        "devices.revoke_certificate": revoke_certificate,
    }


def _device_verbs(node: Node) -> dict[str, Verb]:
    async def command(
        peer: Peer, *, device_id: str, name: str, args: dict[str, Any] | None = None, ttl_s: float = 30.0
    ) -> DeviceCommand:
        return await node.require_services().field.send_command(actor_of(peer), device_id, name, args, ttl_s=ttl_s)

    async def commands(peer: Peer, *, device_id: str = "", limit: int = 200) -> list[DeviceCommand]:
        actor_of(peer)
        return await node.require_services().field.command_history(device_id, n_most=max(1, min(limit, 1000)))

    async def set_desired(peer: Peer, *, device_id: str, changes: dict[str, Any], version: int) -> Twin:
        return await node.require_services().field.set_desired(
            actor_of(peer), device_id, changes, expect_version=version
        )

    async def twin(peer: Peer, *, device_id: str) -> Twin:
        actor_of(peer)
        return node.require_services().field.twin(device_id)

    async def add(peer: Peer, *, devices: list[NewDevice], source: str = "") -> list[BulkOutcome]:
        return await node.require_services().field.add_devices(actor_of(peer), devices, source=source[:200])

    async def edit(peer: Peer, *, devices: list[DeviceEdit]) -> list[BulkOutcome]:
        return await node.require_services().field.edit_devices(actor_of(peer), devices)

    async def removed(peer: Peer) -> list[RemovedDevice]:
        actor_of(peer)
        return await node.require_services().field.removed_devices()

    async def restore(peer: Peer, *, devices: list[str]) -> list[BulkOutcome]:
        return await node.require_services().field.restore_devices(actor_of(peer), devices)

    async def command_many(
        peer: Peer, *, devices: list[str], name: str, args: dict[str, Any] | None = None, ttl_s: float = 30.0
    ) -> list[CommandOutcome]:
        return await node.require_services().field.send_commands(actor_of(peer), devices, name, args, ttl_s=ttl_s)

    async def issue_certificates(peer: Peer, *, devices: list[str]) -> list[CertificateOutcome]:
        return await node.require_services().certificates.issue_many(actor_of(peer), devices)

    async def rename(peer: Peer, *, device_id: str, name: str, version: int) -> Device:
        return await node.require_services().field.rename(actor_of(peer), device_id, name=name, expect_version=version)

    async def move(peer: Peer, *, device_id: str, position: GeoPoint | None, version: int) -> Device:
        return await node.require_services().field.move(
            actor_of(peer), device_id, position=position, expect_version=version
        )

    async def set_site(peer: Peer, *, device_id: str, site: str, version: int) -> Device:
        return await node.require_services().field.set_site(
            actor_of(peer), device_id, site=site, expect_version=version
        )

    async def set_tags(peer: Peer, *, device_id: str, tags: list[str], version: int) -> Device:
        return await node.require_services().field.set_tags(
            actor_of(peer), device_id, tags=tags, expect_version=version
        )

    async def remove(peer: Peer, *, devices: list[DeviceAt]) -> list[BulkOutcome]:
        return await node.require_services().field.remove_devices(actor_of(peer), devices)

    async def messages(peer: Peer, *, device_id: str) -> list[DeviceMessage]:
        actor_of(peer)
        return node.require_services().field.messages(device_id)

    async def events(peer: Peer, *, device_id: str, limit: int = 200) -> list[DeviceEvent]:
        actor_of(peer)
        return await node.require_services().field.events(device_id, n_most=limit)

    async def sheet(peer: Peer, *, device_id: str) -> DeviceSheet:
        actor_of(peer)
        return node.require_services().field.sheet(device_id)

    async def history(peer: Peer, *, device_id: str, stream: str, key: str, span_s: float) -> History:
        actor_of(peer)
        span_s = max(SPANS_S[0], min(span_s, SPANS_S[-1]))
        return await node.require_services().field.quantity_history(device_id, stream, key, span_s=span_s)

    return {
        "devices.messages": messages,
        "devices.events": events,
        "devices.sheet": sheet,
        "devices.history": history,
        "devices.add": add,
        "devices.edit": edit,
        "devices.removed": removed,
        "devices.restore": restore,
        "devices.command_many": command_many,
        "devices.issue_certificates": issue_certificates,
        "devices.set_tags": set_tags,
        "devices.rename": rename,
        "devices.move": move,
        "devices.set_site": set_site,
        "devices.remove": remove,
        "devices.command": command,
        "devices.commands": commands,
        "devices.set_desired": set_desired,
        "devices.twin": twin,
    }


def _camera_verbs(node: Node) -> dict[str, Verb]:
    async def add(peer: Peer, *, camera: Camera, password: str = "") -> Camera:
        return await node.require_services().cameras.add(actor_of(peer), camera, password)

    async def update(peer: Peer, *, camera: Camera, version: int, password: str | None = None) -> Camera:
        return await node.require_services().cameras.update(
            actor_of(peer), camera, expect_version=version, password=password
        )

    async def remove(peer: Peer, *, camera_id: str, version: int) -> None:
        await node.require_services().cameras.remove(actor_of(peer), camera_id, expect_version=version)

    async def set_enabled(peer: Peer, *, camera_id: str, is_enabled: bool, version: int) -> Camera:
        return await node.require_services().cameras.set_enabled(
            actor_of(peer), camera_id, is_enabled, expect_version=version
        )

    async def test(peer: Peer, *, source: SourceSpec, camera_id: str) -> ProbeResult:
        require(actor_of(peer), Role.SUPERVISOR)
        return await node.test_source(source, camera_id)

    async def edit_many(peer: Peer, *, cameras: list[CameraEdit]) -> list[BulkOutcome]:
        return list(await node.require_services().cameras.edit_many(actor_of(peer), cameras))

    async def remove_many(peer: Peer, *, cameras: list[CameraAt]) -> list[BulkOutcome]:
        return list(await node.require_services().cameras.remove_many(actor_of(peer), cameras))

    async def put_back(peer: Peer, *, cameras: list[Camera]) -> list[BulkOutcome]:
        return list(await node.require_services().cameras.put_back(actor_of(peer), cameras))

    return {
        "cameras.edit_many": edit_many,
        "cameras.remove_many": remove_many,
        "cameras.put_back": put_back,
        "cameras.add": add,
        "cameras.update": update,
        "cameras.remove": remove,
        "cameras.set_enabled": set_enabled,
        "cameras.test": test,
    }


def _scene_verbs(node: Node) -> dict[str, Verb]:
    async def save(peer: Peer, *, camera_id: str, scene: Scene, version: int, note: str = "") -> Camera:
        return await node.require_services().cameras.save_scene(
            actor_of(peer), camera_id, scene, expect_version=version, note=note
        )

    async def versions(peer: Peer, *, camera_id: str) -> list[SceneVersion]:
        actor_of(peer)
        return list(await node.require_services().cameras.scene_versions(camera_id))

    async def version(peer: Peer, *, camera_id: str, number: int) -> Scene:
        actor_of(peer)
        return await node.require_services().cameras.scene_of_version(camera_id, number)

    async def accept_view(peer: Peer, *, camera_id: str) -> None:
        await node.require_services().cameras.accept_view(actor_of(peer), camera_id)

    return {
        "cameras.accept_view": accept_view,
        "cameras.save_scene": save,
        "cameras.scene_versions": versions,
        "cameras.scene_version": version,
    }


def _dry_run_verbs(node: Node) -> dict[str, Verb]:
    async def start(
        peer: Peer, *, camera_id: str, scene: Scene, source: SourceSpec | None = None, limit_s: float = 600.0
    ) -> str:
        require(actor_of(peer), Role.SUPERVISOR)
        return node.start_dry_run(camera_id, scene=scene, source=source, limit_s=limit_s)

    async def state(peer: Peer, *, run_id: str) -> DryRun:
        require(actor_of(peer), Role.SUPERVISOR)
        return node.dry_runs.state(run_id)

    async def stop(peer: Peer, *, run_id: str) -> DryRun:
        require(actor_of(peer), Role.SUPERVISOR)
        return node.dry_runs.cancel(run_id)

    return {"vision.dry_run": start, "vision.dry_run_state": state, "vision.dry_run_stop": stop}


def _onvif_verbs(node: Node) -> dict[str, Verb]:
    async def find(peer: Peer) -> Discovery:
        return await node.require_services().onvif.find(actor_of(peer))

    async def describe(
        peer: Peer, *, address: str, username: str, password: str, camera_id: str = ""
    ) -> CameraDescription:
        return await node.require_services().onvif.describe(
            actor_of(peer), address, username=username, password=password, camera_id=camera_id
        )

    return {"onvif.find": find, "onvif.describe": describe}


def _ptz_verbs(node: Node) -> dict[str, Verb]:
    async def look(peer: Peer, *, camera_id: str) -> PtzHead:
        return await node.require_services().ptz.look(actor_of(peer), camera_id)

    async def move(peer: Peer, *, camera_id: str, velocity: Velocity) -> None:
        await node.require_services().ptz.move(actor_of(peer), peer, camera_id, velocity)

    async def stop(peer: Peer, *, camera_id: str) -> None:
        await node.require_services().ptz.stop(actor_of(peer), peer, camera_id)

    async def step(peer: Peer, *, camera_id: str, by: Velocity) -> None:
        await node.require_services().ptz.step(actor_of(peer), peer, camera_id, by)

    async def go(peer: Peer, *, camera_id: str, pan: float, tilt: float, zoom: float | None = None) -> None:
        await node.require_services().ptz.go(actor_of(peer), peer, camera_id, pan=pan, tilt=tilt, zoom=zoom)

    async def go_to_preset(peer: Peer, *, camera_id: str, token: str) -> None:
        await node.require_services().ptz.go_to_preset(actor_of(peer), peer, camera_id, token)

    async def set_home(peer: Peer, *, camera_id: str) -> None:
        await node.require_services().ptz.set_home(actor_of(peer), peer, camera_id)

    async def set_preset(peer: Peer, *, camera_id: str, name: str, token: str = "") -> list[Preset]:
        ptz = node.require_services().ptz
        return list(await ptz.set_preset(actor_of(peer), peer, camera_id, name=name, token=token))

    async def remove_preset(peer: Peer, *, camera_id: str, token: str) -> list[Preset]:
        return list(await node.require_services().ptz.remove_preset(actor_of(peer), peer, camera_id, token))

    return {
        "ptz.look": look,
        "ptz.move": move,
        "ptz.stop": stop,
        "ptz.step": step,
        "ptz.go": go,
        "ptz.go_to_preset": go_to_preset,
        "ptz.set_home": set_home,
        "ptz.set_preset": set_preset,
        "ptz.remove_preset": remove_preset,
    }


def _review_verbs(node: Node) -> dict[str, Verb]:
    async def page(peer: Peer, *, wanted: ReviewFilter, before: str = "", limit: int = 50) -> ReviewPage:
        return await node.require_services().review.page(actor_of(peer), wanted, before=before, limit=limit)

    async def candidates(peer: Peer, *, incident_id: str) -> list[ReviewItem]:
        return list(await node.require_services().review.candidates(actor_of(peer), incident_id))

    async def decide(
        peer: Peer,
        *,
        incident_id: str,
        outcome: Outcome,
        shown_kind: str,
        version: int,
        duplicate_of: str = "",
        note: str = "",
    ) -> ReviewItem:
        return await node.require_services().review.decide(
            actor_of(peer),
            incident_id,
            outcome,
            shown_kind=shown_kind,
            expect_version=version,
            duplicate_of=duplicate_of,
            note=note,
        )

    async def undo(peer: Peer, *, incident_id: str, shown_kind: str, version: int) -> ReviewItem:
        return await node.require_services().review.undo(
            actor_of(peer), incident_id, shown_kind=shown_kind, expect_version=version
        )

    async def precision(peer: Peer, *, since: datetime | None = None) -> PrecisionReport:
        return await node.require_services().review.precision(actor_of(peer), since=since)

    return {
        "review.page": page,
        "review.candidates": candidates,
        "review.decide": decide,
        "review.undo": undo,
        "review.precision": precision,
    }


def _incident_verbs(node: Node) -> dict[str, Verb]:
    async def trend_of(
        peer: Peer, *, source_kind: SourceKind, source_id: str, at: datetime, position: GeoPoint | None = None
    ) -> Trend | None:
        actor_of(peer)
        services = node.require_services()
        return await trend_around(
            services.field,
            services.traffic,
            source_kind=source_kind,
            source_id=source_id,
            position=position,
            at=at,
        )

    async def clips_of(peer: Peer, *, incident_id: str) -> list[ClipInfo]:
        actor_of(peer)
        return list(await node.require_services().clips.clips_of(incident_id))

    async def clip_of(peer: Peer, *, incident_id: str, camera_id: str, occurrence: str = "") -> Clip | None:
        actor_of(peer)
        return await node.require_services().clips.load(incident_id, camera_id, occurrence)

    async def snapshot_of(peer: Peer, *, incident_id: str) -> bytes:
        actor_of(peer)
        return await node.require_services().incidents.snapshot_bytes(incident_id)

    async def recent(peer: Peer, *, limit: int = 200) -> list[Incident]:
        actor_of(peer)
        return list(await node.require_services().incidents.recent_incidents(max(1, min(limit, 1000))))

    return {
        "incidents.snapshot": snapshot_of,
        "incidents.clips": clips_of,
        "incidents.clip": clip_of,
        "alarms.trend": trend_of,
        "incidents.recent": recent,
    }


def _user_verbs(node: Node) -> dict[str, Verb]:
    async def list_users(peer: Peer) -> list[User]:
        return list(await node.require_services().access.list_users(actor_of(peer)))

    async def add_user(peer: Peer, *, name: str, password: str, role: Role) -> User:
        return await node.require_services().access.add_user(actor_of(peer), name, password, role)

    async def change_password(peer: Peer, *, old: str, new: str) -> None:
        await node.require_services().access.change_own_password(actor_of(peer), old, new)

    return {"users.list": list_users, "users.add": add_user, "users.change_password": change_password}


def _traffic_verbs(node: Node) -> dict[str, Verb]:
    async def flow(peer: Peer, *, since: datetime, camera_id: str = "") -> list[FlowMinute]:
        actor_of(peer)
        return await node.require_services().traffic.flow(since=since, camera_id=camera_id)

    return {"traffic.flow": flow}


def spec_of(camera: Camera, password: str, *, clips: Mapping[str, SourceSpec]) -> SourceSpec:
    """Turn a camera's settings into what the reader opens.

    Raises:
        BadInputError: There is no such demo clip.
    """
    plain = SourceSpec(address=camera.address, username=camera.username, password=password, transport=camera.transport)
    return resolve_demo(plain, clips)


def resolve_demo(source: SourceSpec, clips: Mapping[str, SourceSpec]) -> SourceSpec:
    """Replace the address `demo:KEY` by the looped clip of the demo city; leave others alone.

    Raises:
        BadInputError: There is no such demo clip.
    """
    if not source.address.startswith("demo:"):
        return source
    key = source.address.removeprefix("demo:")
    if key not in clips:
        known = ", ".join(sorted(clips)) or "none: this node does not run the demonstration"
        raise BadInputError(f"The demo city has no camera {key!r}.", hint=f"There are {known}.")
    clip = clips[key]
    return replace(source, address=clip.address, loops=clip.loops, refrain=clip.refrain)


def not_ready(reason: str) -> UnavailableError:
    """Return the error for verbs that need the store while it is not open."""
    return UnavailableError(reason or "The node is still starting.", hint="The console goes on trying.")
