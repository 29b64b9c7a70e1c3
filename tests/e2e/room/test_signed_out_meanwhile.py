"""Who is signed out while the room is being opened does not get it."""

import asyncio

from app.connection import ConnectionState
from tests.fixtures.console import until


def test_a_session_that_ends_while_the_room_is_opened_leaves_the_door_shut(start_node, in_room):
    node = start_node(demo=True)

    async def scenario(open_console):
        console = open_console(node.folder, desk="Desk 1")
        await until(lambda: console.window.has_panels, "the first dock")
        assert not console.is_open
        # As when somebody signs in elsewhere, or an administrator takes the account away.
        console.connection._on_push("signed_out", "Another desk took this session.")
        shown = []
        while not console.is_open:
            shown.append(console.window._pages.currentIndex())
            await asyncio.sleep(0.02)

        assert console.connection.state is ConnectionState.SIGNED_OUT
        assert set(shown) == {0}
        assert console.window._pages.currentWidget() is console.door

        await console.connection._open_door()
        await until(lambda: console.window._pages.currentIndex() == 1, "the room")

    in_room(scenario)
