"""Which of a camera's two streams a tile gets."""

import pytest

from core.media.camera_source import DOWN_AFTER_S, UP_AFTER_S, Role, StreamChoice

SUB_WH = (640, 360)


def settled(view_wh):
    choice = StreamChoice()
    return choice, choice.wanted(view_wh, SUB_WH, 0.0)


@pytest.mark.parametrize(
    ("view_wh", "role"),
    [
        (None, Role.SUB),
        ((480, 270), Role.SUB),
        ((640, 360), Role.SUB),
        ((768, 432), Role.SUB),
        ((800, 450), Role.MAIN),
        ((1920, 1080), Role.MAIN),
        # A wide, low tile shows no more of the picture than its height allows.
        ((1920, 360), Role.SUB),
    ],
)
def test_the_size_of_the_tile_decides(view_wh, role):
    assert settled(view_wh)[1] is role


def test_zooming_in_brings_the_main_stream_after_a_moment():
    choice, _ = settled((480, 270))

    assert choice.wanted((1920, 1080), SUB_WH, 10.0) is Role.SUB
    assert choice.wanted((1920, 1080), SUB_WH, 10.0 + UP_AFTER_S) is Role.MAIN


def test_zooming_out_and_in_again_keeps_the_main_stream():
    choice, _ = settled((1920, 1080))

    assert choice.wanted((480, 270), SUB_WH, 10.0) is Role.MAIN
    assert choice.wanted((480, 270), SUB_WH, 10.0 + DOWN_AFTER_S - 0.1) is Role.MAIN
    assert choice.wanted((1920, 1080), SUB_WH, 14.0) is Role.MAIN
    assert choice.wanted((480, 270), SUB_WH, 14.5) is Role.MAIN
    assert choice.wanted((480, 270), SUB_WH, 14.5 + DOWN_AFTER_S) is Role.SUB


@pytest.mark.parametrize("first", [(480, 270), (1920, 1080)])
def test_a_tile_between_the_two_sizes_changes_nothing(first):
    choice, role = settled(first)

    assert [choice.wanted((700, 394), SUB_WH, float(second)) for second in range(30)] == [role] * 30


def test_a_portrait_stream_is_judged_by_what_is_shown_of_it():
    assert StreamChoice().wanted((480, 270), (360, 640), 0.0) is Role.SUB
    assert StreamChoice().wanted((1920, 1080), (360, 640), 0.0) is Role.MAIN
