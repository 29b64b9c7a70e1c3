"""The question after the test sound."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton

from widgets.header.sound_question import SoundQuestion


@pytest.fixture
def question(qtbot):
    made = SoundQuestion()
    qtbot.addWidget(made)
    made.ask()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    return made


@pytest.fixture
def answers(question):
    given = []
    question.answered.connect(given.append)
    return given


def test_enter_means_heard_and_the_question_goes(question, answers):
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)

    assert (answers, question.isVisible()) == ([True], False)


def test_not_heard_is_one_tab_or_one_click_away(question, answers, qtbot):
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
    question.ask()
    button = next(one for one in question.findChildren(QPushButton) if one.text() == "Not heard")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    assert answers == [False, False]


def test_esc_is_no_answer(question, answers):
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)

    assert (answers, question.isVisible()) == ([], False)
