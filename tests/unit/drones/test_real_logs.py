"""Every log of the test data ends in the same state as pymavlink's own decode of it, field by field."""

import math
from datetime import UTC, datetime

import pytest
from pymavlink import mavutil

from core.drones.mavlink.player import reports_of
from core.drones.mavlink.tlog import read_tlog_file
from core.drones.merge import LiveDrone
from core.drones.model import Landed
from tests.fixtures.testdata import testdata

LOGS = ("ubc_2018-09-17", "sitl_vtol_quadplane", "ardusub_small", "sitl_copter_2026_boot")
FIXES = {0: None, 1: "none", 2: "2d", 3: "3d", 4: "dgps", 5: "rtk_float", 6: "rtk_fixed"}


def our_states(file):
    drones = {}
    for report in reports_of(read_tlog_file(file), "log"):
        live = drones.setdefault(report.drone_id, LiveDrone(report.drone_id))
        live.take(report, report.at)
    return {drone_id: live.state for drone_id, live in drones.items()}


def their_decode(file):
    """Return pymavlink's newest message of each type, by system and component, and every text."""
    log = mavutil.mavlink_connection(str(file), dialect="all", robust_parsing=True)
    newest, texts, autopilots = {}, [], set()
    while (message := log.recv_msg()) is not None:
        kind, key = message.get_type(), (message.get_srcSystem(), message.get_srcComponent())
        if kind == "BAD_DATA":
            continue
        if kind == "HEARTBEAT" and (message.autopilot == 8 or message.type == 6):
            continue
        if kind == "HEARTBEAT":
            autopilots.add(key)
        if kind == "STATUSTEXT":
            texts.append((key, message.text.strip()))
        name = f"{kind}/{message.id}" if kind == "BATTERY_STATUS" else kind
        newest[(*key, name)] = message
        if kind == "DISTANCE_SENSOR" and message.orientation == 25:
            newest[(*key, "DOWN")] = message
    log.close()
    return newest, texts, autopilots


def expected_values(get):
    """Return what a state must hold after these messages, written down apart from our decoders."""
    values = {}
    position = get("GLOBAL_POSITION_INT")
    if position is not None:
        values |= {
            "altitude_home_m": position.relative_alt / 1e3,
            "velocity_north_mps": position.vx / 1e2,
            "velocity_east_mps": position.vy / 1e2,
            "velocity_down_mps": position.vz / 1e2,
        }
        if position.hdg != 65535:
            values["heading_deg"] = position.hdg / 1e2
    attitude = get("ATTITUDE")
    if attitude is not None:
        values |= {
            "roll_deg": math.degrees(attitude.roll),
            "pitch_deg": math.degrees(attitude.pitch),
            "rate_x_dps": math.degrees(attitude.rollspeed),
            "rate_y_dps": math.degrees(attitude.pitchspeed),
            "rate_z_dps": math.degrees(attitude.yawspeed),
        }
    hud = get("VFR_HUD")
    if hud is not None:
        values |= {
            "air_speed_mps": hud.airspeed,
            "ground_speed_mps": hud.groundspeed,
            "climb_mps": hud.climb,
            "throttle_percent": hud.throttle,
        }
    status = get("SYS_STATUS")
    if status is not None:
        values |= {"cpu_load_percent": status.load / 10, "link_drop_percent": status.drop_rate_comm / 100}
    shake = get("VIBRATION")
    if shake is not None:
        values |= {f"vibration_{axis}_mps2": getattr(shake, f"vibration_{axis}") for axis in "xyz"}
        values["clipping"] = shake.clipping_0 + shake.clipping_1 + shake.clipping_2
    wind = get("WIND")
    if wind is not None:
        values |= {"wind_speed_mps": wind.speed, "wind_from_deg": wind.direction % 360}
    air = get("SCALED_PRESSURE")
    if air is not None:
        values |= {"pressure_hpa": air.press_abs, "temperature_c": air.temperature / 100}
    way = get("NAV_CONTROLLER_OUTPUT")
    if way is not None:
        values["waypoint_distance_m"] = way.wp_dist
    return values


@pytest.mark.parametrize("name", LOGS)
def test_a_replayed_log_ends_as_pymavlink_decodes_it(name):
    file = testdata(f"mavlink/{name}.tlog")
    newest, texts, autopilots = their_decode(file)
    ours = our_states(file)

    assert ours.keys() == {f"mav-{system}" for system, _ in autopilots}
    for system, component in autopilots:

        def get(kind, system=system, component=component):
            return newest.get((system, component, kind))

        state = ours[f"mav-{system}"]
        for key, value in expected_values(get).items():
            assert state.value(key) == pytest.approx(value, abs=1e-9), key
        _compare_position(state, get)
        _compare_receivers(state, get)
        _compare_batteries(state, get, newest, (system, component))
        _compare_heartbeat(state, get)
        _compare_mission(state, get)
        _compare_texts(state, [text for key, text in texts if key == (system, component)])


def _compare_position(state, get):
    position, fix = get("GLOBAL_POSITION_INT"), get("GPS_RAW_INT")
    has_fix = fix is None or fix.fix_type >= 2
    if position is not None and has_fix and (position.lat or position.lon):
        assert (state.position.point.lat_deg, state.position.point.lon_deg) == (position.lat / 1e7, position.lon / 1e7)
        assert state.value("altitude_amsl_m") == position.alt / 1e3
    home = get("HOME_POSITION")
    if home is None:
        assert state.home is None
    else:
        assert (state.home.point.lat_deg, state.home.point.lon_deg) == (home.latitude / 1e7, home.longitude / 1e7)
        assert state.home.altitude_amsl_m == home.altitude / 1e3


def _compare_receivers(state, get):
    receivers = {item.number: item for item in state.gnss}
    for number, kind in enumerate(("GPS_RAW_INT", "GPS2_RAW")):
        raw = get(kind)
        if raw is None:
            assert number not in receivers
            continue
        ours = receivers[number]
        assert (None if ours.fix is None else ours.fix.value) == FIXES[raw.fix_type]
        assert ours.n_satellites == (None if raw.satellites_visible == 255 else raw.satellites_visible)
        assert ours.hdop == (None if raw.eph == 65535 else raw.eph * 0.01)


def _compare_batteries(state, get, newest, key):
    packs = {pack.number: pack for pack in state.batteries}
    theirs = {
        int(name.partition("/")[2]): message
        for (*one, name), message in newest.items()
        if tuple(one) == key and name.startswith("BATTERY_STATUS/")
    }
    for number, message in theirs.items():
        cells = [cell for cell in message.voltages if 0 < cell < 65535]
        pack = packs.get(number)
        if pack is None:
            assert not cells
            assert message.battery_remaining == -1
            continue
        assert pack.voltage_v == (pytest.approx(sum(cells) / 1e3) if cells else None)
        assert pack.remaining_percent == (None if message.battery_remaining == -1 else message.battery_remaining)
        assert pack.current_a == (None if message.current_battery == -1 else message.current_battery * 0.01)
        assert pack.used_mah == (None if message.current_consumed == -1 else message.current_consumed)
    status = get("SYS_STATUS")
    if not theirs and status is not None:
        volts = status.voltage_battery
        shown = packs.get(0)
        assert (shown.voltage_v if shown else None) == (None if volts in (0, 65535) else volts / 1e3)


def _compare_heartbeat(state, get):
    beat = get("HEARTBEAT")
    assert state.is_armed == bool(beat.base_mode & 128)
    theirs = mavutil.mode_string_v10(beat)
    words = {
        "STABILIZE": "Stabilize",
        "LOITER": "Loiter",
        "AUTO": "Auto",
        "MANUAL": "Manual",
        "ALT_HOLD": "Depth hold" if beat.type == 12 else "Altitude hold",
        "QLOITER": "Hover loiter",
        "QLAND": "Hover land",
        "QRTL": "Hover return (RTL)",
        "RTL": "Return (RTL)",
        "GUIDED": "Guided",
        "POSHOLD": "Position hold",
    }
    assert state.mode.name == words[theirs]
    extended = get("EXTENDED_SYS_STATE")
    if extended is not None and extended.landed_state:
        assert (
            state.landed
            is {1: Landed.GROUND, 2: Landed.AIR, 3: Landed.TAKE_OFF, 4: Landed.LANDING}[extended.landed_state]
        )


def _compare_mission(state, get):
    mission = get("MISSION_CURRENT")
    if mission is None:
        assert state.mission is None
        return
    assert state.mission.current == mission.seq
    total = getattr(mission, "total", 0)
    assert state.mission.total == (None if total in (0, 65535) else total)
    reached = get("MISSION_ITEM_REACHED")
    assert state.mission.reached == (None if reached is None else reached.seq)


def _compare_texts(state, texts):
    newest = list(dict.fromkeys(reversed([text for text in texts if text])))[:5]
    ours = [text.text for text in reversed(state.texts)]
    assert list(dict.fromkeys(ours))[:5] == newest


def test_a_receiver_that_begins_at_zero_is_never_shown_there():
    file = testdata("mavlink/sitl_copter_2026_boot.tlog")
    places = [report.position for report in reports_of(read_tlog_file(file), "log") if report.position is not None]

    assert places
    assert all(abs(place.lat_deg) > 1.0 for place in places)


def test_a_truncated_log_is_read_as_far_as_it_goes():
    data = testdata("mavlink/sitl_vtol_quadplane.tlog").read_bytes()
    from core.drones.mavlink.tlog import read_tlog

    whole = list(read_tlog(data))
    broken = data[:100_000] + bytes(37) + data[100_500:300_001]
    entries = list(read_tlog(broken))

    assert len(whole) == pytest.approx(23_894, abs=10)
    assert entries[-1][0] > whole[6_000][0]
    assert entries[0][0].year == 2018
    assert entries[0][0] < datetime.now(UTC)
