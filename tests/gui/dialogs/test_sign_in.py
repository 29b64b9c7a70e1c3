import pytest
from PySide6.QtCore import Qt

from core.node.model import SiteInfo
from widgets.dialogs.sign_in import REFUSED, SignInPage


def site(**changes):
    usual = {"protocol": 1, "is_demo": False, "is_ready": True, "needs_administrator": False}
    return SiteInfo(name="Marenholm", node_id="n", version="0.1", **(usual | changes))


@pytest.fixture
def page(qtbot):
    made = SignInPage()
    qtbot.addWidget(made)
    made.resize(900, 700)
    made.show()
    made.activateWindow()
    return made


def test_name_password_and_enter_sign_in(page, qtbot):
    page.show_site(site())
    qtbot.keyClicks(page._sign_in.name, "dana")
    qtbot.keyClick(page._sign_in.name, Qt.Key.Key_Return)
    qtbot.waitUntil(page._sign_in.password.hasFocus)
    qtbot.keyClicks(page._sign_in.password, "open sesame")

    with qtbot.waitSignal(page.sign_in_requested) as asked:
        qtbot.keyClick(page._sign_in.password, Qt.Key.Key_Return)

    assert asked.args == ["dana", "open sesame"]
    assert not page._sign_in.button.isEnabled()


def test_a_refusal_does_not_say_which_part_was_wrong(page, qtbot):
    page.show_site(site())
    qtbot.keyClicks(page._sign_in.name, "dana")
    qtbot.keyClicks(page._sign_in.password, "wrong")
    page._sign_in.submit()

    page.show_refused()

    assert page.error == REFUSED
    assert page._sign_in.password.text() == ""
    assert page._sign_in.name.text() == "dana"


def test_after_a_back_off_the_button_waits_and_comes_back(page, qtbot):
    page.show_site(site())
    page.show_refused(retry_after_s=0.6)
    asked = []
    page.sign_in_requested.connect(lambda *args: asked.append(args))
    assert page._sign_in.button.text() == "Try again in 1 s"
    qtbot.keyClicks(page._sign_in.name, "dana")
    qtbot.keyClicks(page._sign_in.password, "open sesame")
    qtbot.keyClick(page._sign_in.password, Qt.Key.Key_Return)
    assert not asked

    qtbot.waitUntil(page._sign_in.button.isEnabled, timeout=3000)

    assert page._sign_in.button.text() == "Sign in"


def test_a_capital_without_shift_hints_at_caps_lock(page, qtbot):
    page.show_site(site())
    qtbot.keyPress(page._sign_in.password, Qt.Key.Key_A, Qt.KeyboardModifier.NoModifier)
    assert page._sign_in._caps.isHidden()

    page._sign_in.password.caps_lock_seen.emit(True)

    assert page._sign_in._caps.isVisible()


def test_the_first_run_ticks_the_rules_while_one_types(page, qtbot):
    page.show_site(site(needs_administrator=True))
    form = page._first
    qtbot.keyClicks(form.name, "dana")
    qtbot.keyClicks(form.password, "long enough")
    assert "✓  at least 10 characters" in form.rules
    assert "○  typed the same twice" in form.rules
    assert not form.button.isEnabled()

    qtbot.keyClicks(form.again, "long enough")
    with qtbot.waitSignal(page.create_administrator_requested) as asked:
        qtbot.mouseClick(form.button, Qt.MouseButton.LeftButton)

    assert asked.args == ["dana", "long enough"]


def test_a_weak_password_never_leaves_the_page(page, qtbot):
    page.show_site(site(needs_administrator=True))
    asked = []
    page.create_administrator_requested.connect(lambda *args: asked.append(args))
    for field in (page._first.password, page._first.again):
        qtbot.keyClicks(field, "aaaaaaaaaaaa")
    qtbot.keyClicks(page._first.name, "dana")

    qtbot.keyClick(page._first.again, Qt.Key.Key_Return)

    assert not asked


def test_a_node_that_is_gone_is_said_and_tried_again_by_key(page, qtbot):
    page.show_gone("The node does not answer.", "It is started again by itself.", 8.0)

    with qtbot.waitSignal(page.retry_requested):
        qtbot.keyClick(page._waiting._retry, Qt.Key.Key_Space)

    assert "again in 8 s" in page._waiting._retry.text()


def test_a_node_that_is_still_starting_asks_for_nothing_yet(page):
    page.show_site(site(is_ready=False, notices=("The store is being opened.",)))

    assert page._waiting.isVisible()
    assert "The store is being opened." in page._detail.text()
