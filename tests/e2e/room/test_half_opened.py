"""A room that could not be opened as a whole goes on hearing of alarms, also after a lost line."""

from app.connection import ConnectionState
from core.kernel.errors import UnavailableError
from tests.fixtures.console import until


def test_what_stands_of_a_room_that_broke_off_is_told_after_the_next_snapshot_too(start_node, in_room, monkeypatch):
    node = start_node(demo=True)

    async def scenario(open_console):
        console = open_console(node.folder, desk="Desk 1")
        heard = []
        console.live.alarms_changed.connect(lambda: heard.append("alarms"))

        def fail():
            raise UnavailableError("The layout cannot be read.")

        monkeypatch.setattr(console.window, "restore_layout", fail)
        await until(lambda: console.connection.state is ConnectionState.SIGNED_IN, "the room")
        await until(lambda: heard, "the first telling")
        assert not console.is_open

        heard.clear()
        # As after a lost line.
        await console.connection._enter(console.connection.session)
        await until(lambda: heard, "what the next snapshot holds")

        console.connection._on_push("signed_out", "Another desk took this session.")
        assert console.window._pages.currentWidget() is console.door
        await console.connection._open_door()
        await until(lambda: console.window._pages.currentWidget() is not console.door, "the room")

    in_room(scenario)
