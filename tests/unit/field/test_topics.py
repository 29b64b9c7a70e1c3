import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.field.topics import (
    STREAMED,
    AlarmTopic,
    Channel,
    DeviceTopic,
    HostChannel,
    HostTopic,
    PingTopic,
    TopicError,
    build,
    device_topic,
    parse,
    subscriptions,
)

slugs = st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True)
device_topics = st.one_of(
    st.builds(
        DeviceTopic, tenant=slugs, group=slugs, device=slugs, channel=st.sampled_from(sorted(set(Channel) - STREAMED))
    ),
    st.builds(
        DeviceTopic, tenant=slugs, group=slugs, device=slugs, channel=st.sampled_from(sorted(STREAMED)), stream=slugs
    ),
)
core_topics = st.one_of(
    st.builds(HostTopic, tenant=slugs, core=slugs, channel=st.sampled_from(sorted(HostChannel))),
    st.builds(AlarmTopic, tenant=slugs, alarm_id=st.from_regex(r"[A-Za-z0-9-]{1,64}", fullmatch=True)),
    st.builds(PingTopic, tenant=slugs, core=slugs),
)


@given(st.one_of(device_topics, core_topics))
def test_a_topic_survives_being_written_and_read(topic):
    assert parse(build(topic)) == topic


@given(st.text(max_size=300))
def test_text_from_outside_raises_nothing_but_a_topic_error(text):
    with contextlib.suppress(TopicError):
        assert build(parse(text)) == text


WORDS = st.sampled_from(["", "+", "#", "_host", "_alarm", "_ping", "state", "evt", "ack", "$SYS"])


@given(st.lists(st.one_of(slugs, WORDS), max_size=8))
def test_nearly_right_topics_are_read_exactly_or_refused(parts):
    text = "/".join(["watchfloor", "v1", *parts])
    with contextlib.suppress(TopicError):
        assert build(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("watchfloor/v2/city/station/s1/evt", "begin"),
        ("watchfloor/v1/CITY/station/s1/evt", "tenant"),
        ("watchfloor/v1/city/station/S1/evt", "device"),
        ("watchfloor/v1/city/_host/s1/evt", "group"),
        ("watchfloor/v1/city/station/s1/state", "state"),
        ("watchfloor/v1/city/station/s1/nonsense", "nonsense"),
        ("watchfloor/v1/city/station/s1/evt\n", "evt"),
    ],
)
def test_the_sentence_names_the_part_that_is_wrong(text, word):
    with pytest.raises(TopicError, match=word):
        parse(text)


def test_no_device_can_stand_in_the_place_of_the_core():
    with pytest.raises(TopicError):
        build(DeviceTopic(tenant="city", group="_host", device="core", channel=Channel.STATUS))


def test_a_device_id_without_a_slash_is_refused():
    with pytest.raises(TopicError, match="group/device"):
        device_topic("city", "station", Channel.CMD)


def test_the_core_hears_every_channel_that_devices_speak_on():
    heard = {name.removeprefix("watchfloor/v1/city/") for name, _ in subscriptions("city", "core")}

    assert heard == {
        "+/+/birth",
        "+/+/status",
        "+/+/state/+",
        "+/+/tele/+",
        "+/+/evt",
        "+/+/cmd/res",
        "+/+/twin/reported",
        "+/+/log",
        "_alarm/+",
        "_ping/core",
    }
