from pathlib import Path

import av
import pytest

from core.kernel.errors import BadInputError, UnavailableError
from core.media import bench
from tests.fixtures.clips import make_clip
from tests.fixtures.processes import find_program
from tests.fixtures.testdata import testdata


def test_without_ffmpeg_the_bench_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(bench.shutil, "which", lambda name: None)

    with pytest.raises(UnavailableError, match="ffmpeg, which is not installed") as caught:
        bench.bench_decode(make_clip(tmp_path / "a.mp4", n_frames=5))
    assert "apt-get install ffmpeg" in caught.value.hint


def test_a_clip_that_is_none_is_a_sentence(tmp_path: Path):
    find_program("ffmpeg", install="sudo apt-get install -y ffmpeg")
    path = tmp_path / "a.mp4"
    path.write_text("no video")

    with pytest.raises(BadInputError, match=r"a\.mp4"):
        bench.bench_decode(path)


def test_the_bench_names_its_reference_and_counts_every_picture(tmp_path: Path):
    find_program("ffmpeg", install="sudo apt-get install -y ffmpeg")

    result = bench.bench_decode(make_clip(tmp_path / "a.mp4", n_frames=500))

    assert result.bench == "decode"
    assert result.figures["n_frames"].value == 500
    assert result.figures["ratio_to_ffmpeg"].value > 0
    assert "ffmpeg -threads 1" in result.figures["ratio_to_ffmpeg"].reference


@pytest.mark.slow
def test_the_bench_makes_a_clip_of_its_own(tmp_path: Path):
    clip = bench.make_bench_clip(tmp_path / "clip.mp4")

    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.frames) == (1920, 1080, 200)
        assert 2e6 < container.bit_rate < 8e6


@pytest.mark.slow
@pytest.mark.testdata
@pytest.mark.parametrize("name", ["people_oxford_street", "traffic_nl_highway", "traffic_shenzhen_road_buses"])
def test_our_pictures_cost_no_more_than_a_third_above_ffmpeg(name: str):
    find_program("ffmpeg", install="sudo apt-get install -y ffmpeg")

    assert bench.bench_decode(testdata(f"video/{name}.mp4")).figures["ratio_to_ffmpeg"].value <= 1.35
