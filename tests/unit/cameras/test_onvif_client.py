"""A camera is asked by ONVIF what it is: against a camera of ours that really speaks HTTP and SOAP."""

import asyncio
import base64
import time

import pytest

from core.cameras.onvif.client import OnvifCamera, choose_streams
from core.cameras.onvif.http import best_challenge, digest_answer
from core.cameras.onvif.model import StreamProfile, Velocity
from core.cameras.onvif.soap import CameraFaultError, Login, LoginRefusedError, token_digest
from core.kernel.errors import BadInputError, ConsoleError, UnavailableError
from core.kernel.xml import parse
from core.sim.onvif import SUB, Authentication, Fault, OnvifSimulator, SimProfile

PASSWORD = 's3cret & <odd> "pass"'


def describe(camera, *, password=PASSWORD, username="admin", timeout_s=3.0):
    async def run():
        asked = OnvifCamera(camera.address, username, password, timeout_s=timeout_s)
        await asked.connect()
        return await asked.describe()

    return asyncio.run(run())


@pytest.mark.parametrize("authentication", [Authentication.WSSE, Authentication.HTTP_MD5, Authentication.HTTP_SHA256])
def test_a_camera_says_what_it_is_however_it_asks_for_the_login(authentication):
    with OnvifSimulator(password=PASSWORD, authentication=authentication) as camera:
        found = describe(camera)

    assert (found.maker, found.model, found.firmware) == ("Watchfloor", "SIM-1", "1.0")
    assert found.profile(found.main).address == "rtsp://127.0.0.1:554/Profile_1"
    assert found.profile(found.sub).width == 640
    assert found.has_ptz
    assert found.notice == ""


def test_a_camera_that_uses_up_its_challenges_without_saying_so_is_answered_anew():
    with OnvifSimulator(
        password=PASSWORD, authentication=Authentication.HTTP_MD5, uses_per_nonce=2, has_media2=True
    ) as camera:
        found = describe(camera)

    assert found.profile(found.main).width == 1920


def test_an_older_camera_without_get_services_is_understood():
    with OnvifSimulator(has_services=False) as camera:
        found = describe(camera, username="", password="")

    assert found.has_ptz
    assert len(found.profiles) == 3


def test_a_stream_in_h265_is_found_where_the_camera_speaks_media2():
    profiles = (SUB, SimProfile(key="Wide", width=3840, height=2160, codec="H265"))
    with OnvifSimulator(profiles=profiles, has_media2=True) as camera:
        found = describe(camera, username="", password="")

    assert found.profile(found.main).codec == "H265"
    assert found.profile(found.main).fps == 25.0
    assert found.sub == SUB.key


def test_a_wrong_password_is_a_sentence_without_the_password_and_is_tried_once():
    with OnvifSimulator(password=PASSWORD) as camera, pytest.raises(LoginRefusedError) as refused:
        describe(camera, password="guess-me")

    assert "refuses user and password" in refused.value.message
    assert "guess-me" not in str(refused.value)
    assert camera.n_refused == 1


def test_a_camera_that_wants_a_login_says_so():
    with OnvifSimulator(password=PASSWORD) as camera, pytest.raises(LoginRefusedError, match="asks for user"):
        describe(camera, username="", password="")


def test_a_camera_that_asks_for_the_password_itself_does_not_get_it():
    with (
        OnvifSimulator(password=PASSWORD, authentication=Authentication.HTTP_BASIC) as camera,
        pytest.raises(LoginRefusedError),
    ):
        describe(camera)


@pytest.mark.parametrize(("offset_s", "words"), [(10_800.0, "3 h ahead"), (-40 * 86_400.0, "40 d behind")])
def test_a_camera_with_a_wrong_clock_lets_us_in_and_its_clock_is_said(offset_s, words):
    with OnvifSimulator(password=PASSWORD, clock_offset_s=offset_s) as camera:
        found = describe(camera)

    assert found.clock_offset_s == pytest.approx(offset_s, abs=2.0)
    assert words in found.notice


def test_a_refused_login_names_the_wrong_clock_as_well():
    with OnvifSimulator(password=PASSWORD, clock_offset_s=3600.0 * 5) as camera:
        camera.faults.add(Fault.LOCKED)
        with pytest.raises(LoginRefusedError, match="its clock is 5 h ahead"):
            describe(camera)


def test_addresses_on_another_host_are_led_back_to_the_camera_that_was_asked():
    with OnvifSimulator(password=PASSWORD) as camera:
        camera.faults.add(Fault.FOREIGN_ADDRESSES)
        found = describe(camera)

    assert {profile.address for profile in found.profiles} == {
        f"rtsp://127.0.0.1:554/Profile_{number}" for number in (1, 2, 3)
    }


def test_a_login_in_a_stream_address_is_taken_out():
    profile = SimProfile(key="P", width=640, height=360, address="rtsp://admin:hunter2@127.0.0.1/live")
    with OnvifSimulator(profiles=(profile,)) as camera:
        found = describe(camera, username="", password="")

    assert found.profiles[0].address == "rtsp://127.0.0.1/live"


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault.SILENT, UnavailableError, "did not answer within 0.5 s"),
        (Fault.DRIPS, UnavailableError, "did not answer within 0.5 s"),
        (Fault.HANGS_UP, UnavailableError, "hung up"),
        (Fault.NOT_XML, BadInputError, "no ONVIF"),
        (Fault.DOCTYPE, BadInputError, "document type"),
        (Fault.ENDLESS, BadInputError, "no HTTP"),
        (Fault.NOT_FOUND, BadInputError, "no ONVIF service"),
        (Fault.REDIRECTS, BadInputError, "another address"),
    ],
)
def test_whatever_a_bad_camera_does_is_a_sentence_with_a_way_out_in_time(fault, kind, words):
    with OnvifSimulator(password=PASSWORD) as camera:
        camera.faults.add(fault)
        with pytest.raises(kind, match=words) as refused:
            describe(camera, timeout_s=0.5)

    assert refused.value.hint
    assert PASSWORD not in str(refused.value)


def test_nobody_at_the_address_is_a_sentence():
    camera = OnvifSimulator()
    camera.start()
    camera.close()

    with pytest.raises(UnavailableError, match="cannot be reached"):
        describe(camera)


@pytest.mark.parametrize("address", ["", "rtsp://10.0.0.5/", "http://", "http://user:pw@10.0.0.5/", "http://a b/"])
def test_what_is_no_http_address_is_refused_before_anything_is_sent(address):
    with pytest.raises(BadInputError, match="no ONVIF address"):
        OnvifCamera(address)


@pytest.mark.parametrize("typed", ["http://10.0.0.5", " 10.0.0.5 ", "http://10.0.0.5/"])
def test_a_host_alone_is_enough_of_an_address(typed):
    assert OnvifCamera(typed).address == "http://10.0.0.5/onvif/device_service"


def test_the_head_turns_stops_and_remembers():
    async def run(camera):
        asked = OnvifCamera(camera.address, "admin", PASSWORD)
        await asked.connect()
        profile = await asked.ptz_profile()
        abilities = await asked.ptz_abilities()
        await asked.move(profile, Velocity(pan=1.0), for_s=5.0)
        was_turning = camera.is_turning
        await asked.stop(profile)
        await asked.go(profile, pan=0.25, tilt=-0.5, zoom=0.75)
        token = await asked.set_preset(profile, "Bridge & ramp")
        await asked.step(profile, Velocity(pan=-0.5))
        stepped = camera.position
        await asked.go_to_preset(profile, token)
        return abilities, was_turning, stepped, await asked.presets(profile), await asked.status(profile)

    with OnvifSimulator(password=PASSWORD) as camera:
        abilities, was_turning, stepped, presets, status = asyncio.run(run(camera))

    assert was_turning
    assert abilities.can_turn
    assert abilities.max_presets == 16
    assert stepped == (-0.25, -0.5, 0.75)
    assert [preset.name for preset in presets] == ["Bridge & ramp"]
    assert (status.pan, status.tilt, status.zoom) == (0.25, -0.5, 0.75)


def test_the_camera_ends_a_move_by_itself():
    async def turn(camera):
        asked = OnvifCamera(camera.address)
        await asked.connect()
        await asked.move(await asked.ptz_profile(), Velocity(tilt=0.5), for_s=0.2)

    with OnvifSimulator() as camera:
        asyncio.run(turn(camera))
        deadline = time.monotonic() + 5.0
        while camera.is_turning:
            assert time.monotonic() < deadline, "it went on turning"


def test_a_preset_too_many_is_refused_in_the_cameras_words():
    async def fill(camera):
        asked = OnvifCamera(camera.address)
        await asked.connect()
        profile = await asked.ptz_profile()
        await asked.set_preset(profile, "One")
        await asked.set_preset(profile, "Two")

    with OnvifSimulator(max_presets=1) as camera, pytest.raises(CameraFaultError, match="maximum number"):
        asyncio.run(fill(camera))


def test_a_camera_without_a_head_says_that_it_cannot_be_steered():
    async def ask(camera):
        asked = OnvifCamera(camera.address)
        await asked.connect()
        await asked.ptz_profile()

    fixed = SimProfile(key="P", width=1280, height=720, has_ptz=False)
    with OnvifSimulator(profiles=(fixed,)) as camera, pytest.raises(BadInputError, match="cannot be steered"):
        asyncio.run(ask(camera))


def profile(key, width, height, codec="H264"):
    return StreamProfile(token=key, name=key, width=width, height=height, codec=codec, address="rtsp://h/" + key)


@pytest.mark.parametrize(
    ("profiles", "main", "sub"),
    [
        ([profile("a", 640, 360), profile("b", 1920, 1080), profile("c", 176, 144)], "b", "a"),
        ([profile("a", 1920, 1080)], "a", ""),
        ([profile("a", 1920, 1080), profile("b", 1920, 1080)], "a", ""),
        ([profile("a", 3840, 2160), profile("b", 1920, 1080), profile("c", 1280, 720)], "a", "c"),
        ([profile("a", 1920, 1080), profile("b", 704, 576), profile("j", 4000, 3000, "JPEG")], "a", "b"),
        ([profile("a", 1920, 1080), profile("b", 960, 540), profile("c", 480, 270)], "a", "b"),
        ([profile("j", 640, 480, "JPEG")], "j", ""),
    ],
)
def test_the_largest_stream_is_main_and_one_for_a_tile_is_sub(profiles, main, sub):
    assert choose_streams(profiles) == (main, sub)


def test_the_token_digest_is_the_standards_own_example():
    # ONVIF Application Programmer's Guide, 6.1.1.3.
    nonce = base64.b64decode("LKqI6G/AikKCQrN0zqZFlg==")

    assert token_digest(nonce, "2010-09-16T07:50:45Z", "userpassword") == "tuOSpGlFlIXsozq4HFNeeGeFLEI="


def test_digest_answers_are_those_of_rfc_7616(monkeypatch):
    monkeypatch.setattr(
        "core.cameras.onvif.http.secrets.token_hex", lambda _n: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    )
    challenge = {
        "realm": "http-auth@example.org",
        "qop": "auth, auth-int",
        "algorithm": "SHA-256",
        "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
    }

    answer = digest_answer(challenge, "Mufasa", "Circle of Life", target="/dir/index.html", n_uses=1, method="GET")

    assert 'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"' in answer


def test_of_several_challenges_the_strongest_digest_is_answered_and_basic_never():
    from email.message import Message

    headers = Message()
    headers["WWW-Authenticate"] = 'Basic realm="x", Digest realm="x", nonce="1", algorithm=MD5, qop="auth"'
    headers["WWW-Authenticate"] = 'Digest realm="x", nonce="2", algorithm=SHA-256, qop="auth"'
    basic = Message()
    basic["WWW-Authenticate"] = 'Basic realm="x"'

    assert best_challenge(headers)["nonce"] == "2"
    assert best_challenge(basic) is None


def test_a_login_does_not_show_its_password():
    assert "hunter2" not in repr(Login(username="admin", password="hunter2"))
    assert "hunter2" not in repr(OnvifCamera("http://10.0.0.5", "admin", "hunter2"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff\xfe",
        b"<a>" * 60 + b"</a>" * 60,
        b"<a>" + b"<b/>" * 30_000 + b"</a>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b"<a>&undeclared;</a>",
        b"<?xml version='1.0' encoding='klingon'?><a/>",
    ],
)
def test_xml_that_is_none_or_means_harm_is_refused(content):
    with pytest.raises(ConsoleError):
        parse(content)
