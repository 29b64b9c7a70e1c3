"""A panel that cannot be made holds up no other."""

from dataclasses import replace

import app.panels.wall
from core.kernel.errors import UnavailableError
from tests.fixtures.console import until


def test_a_panel_that_cannot_be_made_is_told_and_all_others_stand(start_node, in_room, monkeypatch):
    node = start_node(demo=True)

    def fail(_room):
        yield
        raise UnavailableError("The wall cannot be made.")

    monkeypatch.setattr(app.panels.wall, "PANEL", replace(app.panels.wall.PANEL, create=fail))

    async def scenario(open_console):
        console = open_console(node.folder, desk="Desk 1")
        said = []
        console.room.toast_requested.connect(lambda sentence, _hint: said.append(sentence))

        await until(lambda: console.is_furnished, "the room")

        assert set(console.window._widgets) == set(console.window._panels) - {"wall"}
        assert "The wall cannot be made." in said
        assert console.window._pages.currentIndex() == 1

        console.connection._on_push("signed_out", "Another desk took this session.")
        await console.connection._open_door()
        await until(lambda: console.window._pages.currentIndex() == 1, "the room again")

    in_room(scenario)
