"""A recording that ``top`` plays: its pace, its ends, jumps, and what each moment is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import UsageError
from sockdiag.render.suspects import Whereabouts
from sockdiag.sources.recordings.opening import open_captured
from sockdiag.survey.survey import Survey
from sockdiag.top.actions import Actions
from sockdiag.top.playback import SPEEDS, Playback, playback_of
from sockdiag.top.player import Player
from sockdiag.top.screen import Screen
from sockdiag.top.tabs import TabFacts
from sockdiag.top.watch import Watch
from tests.recorded import FIXTURES
from tests.recordings import BEGIN, BOOT, moment_of, record
from tests.unit.top.recorded_top import AtOnce, drawn

if TYPE_CHECKING:
    from pathlib import Path

    from sockdiag.sources.recordings.sample import StoredMoment

EVERY_S = 5.0
COUNT = 30


def _lossy(wall: float, monotonic: float, lost: int) -> StoredMoment:
    """Return a moment of a host that has refused so many datagrams by then."""
    moment = moment_of(FIXTURES / "6.18-world", wall, monotonic)
    key = next(key for key in moment.parts if key.endswith(b"/proc/net/snmp"))
    lines = moment.parts[key].split(b"\n")
    place = next(i for i, line in enumerate(lines) if line.startswith(b"Udp:"))
    names, values = lines[place].split(), lines[place + 1].split()
    for name in (b"InErrors", b"RcvbufErrors"):
        values[names.index(name)] = b"%d" % lost
    lines[place + 1] = b" ".join(values)
    moment.parts[key] = b"\n".join(lines)
    return moment


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording: every 5 s, and from the 20th moment on of another boot; 100 datagrams are lost before the tenth moment."""
    path = tmp_path_factory.mktemp("recording") / "r"
    record(
        path,
        (
            (
                _lossy(BEGIN + EVERY_S * n, 1000.0 + EVERY_S * (n % 20), 1000 + 100 * (n >= 10)),
                BEGIN + EVERY_S * n,
                1000.0 + EVERY_S * (n % 20),
                BOOT if n < 20 else bytes(16),
            )
            for n in range(COUNT)
        ),
    )
    return path


@pytest.fixture
def playback(folder: Path) -> Playback:
    found = playback_of(str(folder))
    assert found is not None
    return found


@pytest.fixture
def screen(folder: Path, playback: Playback) -> Screen:
    survey = Survey(open_captured(str(folder)))
    facts = TabFacts(Whereabouts())
    actions = Actions(survey, facts)
    made = Screen(facts, actions, "web1", 2.0)
    made.player = Player(playback, made, actions.play)
    at_once = AtOnce(Watch(survey, 2.0, playback=playback), made, actions)
    actions.session = at_once  # type: ignore[assignment]
    at_once.refresh()
    return made


def place(screen: Screen) -> str:
    """Return what the header says of the place: ``2/30 PAUSED``."""
    return " ".join(drawn(screen, 120, 30).split("\n")[0].split("moment")[1].split("  ")[0:2]).strip()


def test_folder_plays_from_its_beginning_and_a_time_stands(folder: Path, playback: Playback) -> None:
    assert (playback.number, playback.playing, playback.count) == (0, True, COUNT)
    later = playback_of(f"{folder}@-10s")
    assert later is not None
    assert (later.number, later.playing) == (COUNT - 3, False)
    assert playback_of(str(FIXTURES / "6.18-world")) is None
    assert playback_of("") is None


def test_moments_come_at_the_pace_that_they_were_recorded_at(playback: Playback) -> None:
    assert playback.wait_s() == EVERY_S
    playback.change_speed(1)
    assert (playback.speed, playback.wait_s()) == (2.0, EVERY_S / 2)
    # Late by less than a moment: one is due, not two.
    playback.advance(4.9)
    assert playback.number == 1
    # A look took as long as two and a half moments: they are left out.
    playback.advance(EVERY_S / 2 * 2.5)
    assert playback.number == 3
    # Another boot: its clock begins anew, and the pace stays.
    playback.jump(19)
    assert playback.wait_s() == EVERY_S / 2
    playback.jump(COUNT - 1)
    assert playback.wait_s() is None


def test_speed_has_ends(playback: Playback) -> None:
    for _ in range(20):
        playback.change_speed(1)
    assert playback.speed == SPEEDS[-1]
    for _ in range(20):
        playback.change_speed(-1)
    assert playback.speed == SPEEDS[0]


def test_what_was_left_out_is_compared_too(playback: Playback) -> None:
    playback.jump(5)
    first = playback.system()
    playback.advance(EVERY_S * 6)
    system = playback.system()
    assert playback.number == 11
    assert system.recorded_s == EVERY_S * 6
    assert system.moments == (first,)
    # The one before is not kept with what it was compared with: memory stays flat.
    assert first.moments == ()


@pytest.mark.parametrize(("number", "seconds"), [(0, None), (7, EVERY_S), (20, None), (21, EVERY_S)])
def test_jump_compares_with_the_moment_recorded_before(playback: Playback, number: int, seconds: float | None) -> None:
    playback.jump(12)
    playback.system()
    playback.jump(number)
    assert playback.system().recorded_s == seconds


def test_keys_step_and_pause(screen: Screen) -> None:
    assert place(screen) == f"1/{COUNT} PLAYING 1x"
    screen.key(".")
    assert place(screen) == f"2/{COUNT} PAUSED"
    screen.key(">")
    assert place(screen).startswith(f"12/{COUNT} PAUSED")
    screen.key(",")
    assert place(screen).startswith(f"11/{COUNT} PAUSED")
    screen.key("<")
    screen.key("<")
    assert place(screen).startswith(f"1/{COUNT} PAUSED")
    screen.key(",")
    assert screen.message == "the recording begins here"
    screen.key("space")
    assert place(screen) == f"1/{COUNT} PLAYING 1x"
    screen.key("]")
    assert place(screen) == f"1/{COUNT} PLAYING 2x"
    screen.key("[")
    screen.key("[")
    assert place(screen) == f"1/{COUNT} PLAYING 0.5x"


def test_end_is_shown_and_space_begins_anew(screen: Screen) -> None:
    for key in ("t", *"last", "enter"):
        screen.key(key)
    assert place(screen).startswith(f"{COUNT}/{COUNT} END")
    screen.key(".")
    assert screen.message == "the recording ends here"
    screen.key("space")
    assert place(screen) == f"1/{COUNT} PLAYING 1x"


def test_going_to_a_time(screen: Screen) -> None:
    for key in ("t", *"-20s", "enter"):
        screen.key(key)
    assert place(screen).startswith(f"{COUNT - 4}/{COUNT}")
    for key in ("t", *"first", "enter"):
        screen.key(key)
    assert place(screen).startswith(f"1/{COUNT}")
    for key in ("t", *"soon", "enter"):
        screen.key(key)
    assert screen.prompt is not None
    assert "is no time" in screen.prompt.error
    screen.key("escape")
    assert place(screen).startswith(f"1/{COUNT}")


def test_loss_is_shown_at_the_moment_after_it_alone(screen: Screen) -> None:
    found = []
    for _ in range(COUNT):
        assert screen.look is not None
        if screen.look.verdict == "dropping":
            found.append(screen.look.place)
            assert screen.look.loss_per_s == pytest.approx(100 / EVERY_S)
        screen.key(".")
    assert found == [10]


def test_graphs_end_at_the_moment_that_is_shown(screen: Screen) -> None:
    for _ in range(12):
        screen.key(".")
    assert [value for value in screen.history.loss if value] == [100 / EVERY_S]
    for _ in range(6):
        screen.key(",")
    assert len(screen.history.loss) == 7
    assert not any(screen.history.loss)
    for _ in range(6):
        screen.key(".")
    assert [value for value in screen.history.loss if value] == [100 / EVERY_S]
    assert len(screen.history.loss) == 13


def test_help_and_last_line_name_the_keys_of_a_recording(screen: Screen) -> None:
    assert "space:play/pause" in drawn(screen, 120, 30)
    screen.key("?")
    text = drawn(screen, 120, 50)
    for said in ("play the recording, or pause", "go to a time", "ten moments back", "play slower"):
        assert said in text
    assert "freeze the screen" not in text


def test_time_outside_the_recording_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="the recording holds"):
        playback_of(f"{folder}@1999-01-01T00:00")
