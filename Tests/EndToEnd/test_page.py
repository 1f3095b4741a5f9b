"""The page in headless Chromium: two windows on one room."""

import json
import pathlib

import pytest

from browser import CHROMIUM, Browser

pytestmark = pytest.mark.skipif(not pathlib.Path(CHROMIUM).exists(), reason=f"there is no {CHROMIUM}")

ONLINE = "document.querySelector('#connection').dataset.state === 'online'"
IN_A_ROOM = "hubbub.state.room?.isJoined && location.hash"
LAST_ANSWER = "[...document.querySelectorAll('.answer .text')].at(-1)?.innerText"


@pytest.fixture
def browser(tmp_path):
    browser = Browser(tmp_path / "chromium")
    yield browser
    browser.close()


@pytest.fixture
def windows(browser, hub):
    """Two people's windows on one room; the first one made it by opening the page."""
    first = browser.open(hub.url, browser.person())
    first.wait(ONLINE)
    room = first.wait(IN_A_ROOM)
    second = browser.open(hub.url + "/" + room, browser.person())
    second.wait(ONLINE)
    second.wait(IN_A_ROOM)
    return first, second


def ask(window, text):
    window.wait("document.activeElement.id === 'composer-text' || document.querySelector('#composer-text').focus()")
    window.type(text)
    window.press("Enter", 13)


def wait_answer(window, text):
    assert window.wait(f"{LAST_ANSWER} === {json.dumps(text)} && {LAST_ANSWER}") == text


def test_two_windows_show_the_same_answer_as_it_grows(windows, model, browser):
    first, second = windows
    first.screenshot("empty-room")
    ask(first, "What do kidneys do?")
    call = model.next_call()
    assert call.question == "What do kidneys do?"
    text = ""
    for piece in ("They", " clean", " the blood,", " 180 Liter am Tag,", " größtenteils"):
        call.say(piece)
        text += piece
        for window in windows:
            wait_answer(window, text)
    for window in windows:
        assert window.wait("document.querySelector('.answer.streaming') && !document.querySelector('#stop').hidden")
    first.screenshot("streaming")
    call.finish()
    for name, window in (("first", first), ("second", second)):
        window.wait("!document.querySelector('.answer.streaming') && document.querySelector('#stop').hidden")
        wait_answer(window, text)
        assert window.text(".message .said") == "What do kidneys do?"
        window.screenshot(f"answered-{name}")
    assert not browser.problems, browser.problems


def test_an_answer_is_made_anew_by_a_button(windows, model, browser):
    first, second = windows
    for question, answer in (("One?", "Yes"), ("Two?", "Perhaps")):
        ask(first, question)
        call = model.next_call()
        call.say(answer)
        call.finish()
        wait_answer(first, answer)
        first.wait("document.querySelector('#stop').hidden")
    first.wait("[...document.querySelectorAll('.answer .again')].at(-1).click() ?? true")
    call = model.next_call()
    assert [message["content"] for message in call.body["messages"][-3:]] == ["One?", "Yes", "Two?"]
    call.say("Certainly")
    call.finish()
    for window in windows:
        wait_answer(window, "Certainly")
    assert not browser.problems, browser.problems


def test_the_other_window_stops_a_slow_answer_and_a_reload_shows_what_was_said(windows, model, browser):
    first, second = windows
    ask(first, "A long story, please")
    call = model.next_call()
    call.say("Once upon a time")
    for window in windows:
        wait_answer(window, "Once upon a time")
    second.click("#stop")
    call.wait_closed()
    for window in windows:
        window.wait("document.querySelector('.answer .status')?.innerText === 'Stopped'")
        assert window.evaluate(LAST_ANSWER) == "Once upon a time"
    second.screenshot("stopped")

    for window in windows:
        window.reload()
        window.wait(ONLINE)
        wait_answer(window, "Once upon a time")
        assert window.text(".answer .status") == "Stopped"
        assert window.text(".message .said") == "A long story, please"
    first.screenshot("reloaded")
    assert not browser.problems, browser.problems


def test_stop_ends_what_waits_too(windows, model):
    first, second = windows
    ask(first, "A long story, please")
    call = model.next_call()
    call.say("Once upon a time")
    for window in windows:
        wait_answer(window, "Once upon a time")
    ask(first, "And another one")
    for window in windows:
        window.wait("document.querySelectorAll('.answer .status[data-status=waiting]').length === 1")
    second.click("#stop")
    call.wait_closed()
    for window in windows:
        window.wait("document.querySelectorAll('.answer .status[data-status=cancelled]').length === 2")
        window.wait("document.querySelector('#stop').hidden")
    assert not model.has_calls, "the question that waited was asked all the same"


def test_the_page_may_talk_to_its_own_hub_only(windows, hub, start_hub, model):
    first, _ = windows  # Both are online by their own WebSocket.
    other = start_hub(config=model.config())
    for address in (f"ws://127.0.0.1:{other.port}/ws", f"ws://localhost:{hub.port}/ws", "wss://192.0.2.1/ws"):
        assert first.evaluate("""new Promise((resolve) => {
            addEventListener('securitypolicyviolation', (event) => resolve(event.effectiveDirective), { once: true });
            const socket = new WebSocket(ADDRESS, 'hubbub.v1');
            socket.onopen = () => resolve('open');
        })""".replace("ADDRESS", json.dumps(address))) == "connect-src", address


def test_a_room_that_was_visited_shows_its_last_message_in_the_list(browser, hub, model):
    """Also a room of somebody else, of which the hub sends no summaries."""
    theirs = hub.create_room("somebody", "Theirs")
    window = browser.open(hub.url, browser.person())
    window.wait(ONLINE)
    home = window.wait(IN_A_ROOM)
    window.evaluate(f"location.hash = '{theirs}'")
    window.wait(f"hubbub.state.room?.room_id === '{theirs}' && hubbub.state.room.isJoined")
    ask(window, "What do kidneys do?")
    call = model.next_call()
    call.say("They *clean* the blood")
    call.finish()
    line = f"document.querySelector('#rooms a[href=\"#{theirs}\"] .preview')?.innerText"
    assert window.wait(f"{line} === 'They clean the blood'")
    window.reload()
    window.wait(ONLINE)
    window.wait(f"hubbub.state.room?.room_id === '{theirs}' && hubbub.state.room.isJoined")
    assert window.wait(f"{line} === 'They clean the blood'")
    window.evaluate(f"location.hash = '{home}'")
    window.wait(f"location.hash === '{home}' && hubbub.state.room.isJoined")
    assert window.evaluate(line) == "They clean the blood"


def test_a_reload_in_mid_stream_goes_on_where_the_answer_is(windows, model):
    first, second = windows
    ask(first, "Count")
    call = model.next_call()
    call.say("one two")
    wait_answer(first, "one two")
    first.reload()
    wait_answer(first, "one two")
    call.say(" three")
    call.finish()
    for window in windows:
        wait_answer(window, "one two three")


def test_both_windows_come_back_by_themselves_when_the_hub_does(start_hub, model, browser, tmp_path):
    hub = start_hub(config=model.config())
    window = browser.open(hub.url, browser.person())
    window.wait(ONLINE)
    room = window.wait(IN_A_ROOM)
    ask(window, "Hello")
    call = model.next_call()
    call.say("Hello, you")
    call.finish()
    wait_answer(window, "Hello, you")
    window.wait("!document.querySelector('.answer.streaming')")
    port = hub.port
    hub.kill()
    window.wait("document.querySelector('#connection').dataset.state !== 'online'")
    start_hub("--port", port, config=model.config(), data=hub.data)
    window.wait(ONLINE)
    assert window.wait(IN_A_ROOM) == room
    wait_answer(window, "Hello, you")
    ask(window, "And again")
    call = model.next_call()
    call.say("Again")
    call.finish()
    wait_answer(window, "Again")


def test_text_is_never_markup(windows, model):
    first, second = windows
    evil = "<img src=x onerror=\"document.title='pwned'\"> <b>bold</b> [a](javascript:alert(1))"
    ask(first, evil)
    call = model.next_call()
    call.say(evil)
    call.finish()
    for window in windows:
        window.wait(f"{LAST_ANSWER} && !document.querySelector('.answer.streaming')")
        assert window.text(".message .said") == evil
        assert window.evaluate("document.querySelectorAll('#exchanges img, #exchanges b').length") == 0
        assert window.evaluate("document.querySelectorAll('#exchanges a[href^=\"javascript:\"]').length") == 0
        assert "pwned" not in window.evaluate("document.title")


def test_rooms_are_made_renamed_and_deleted_in_every_window_of_a_person(browser, hub):
    person = browser.person()
    first = browser.open(hub.url, person)
    first.wait(ONLINE)
    first.wait(IN_A_ROOM)
    second = browser.open(hub.url, person)
    second.wait(ONLINE)
    first.click("#new-room")
    for window in (first, second):
        window.wait("document.querySelectorAll('#rooms li').length === 2")
    first.click("#rename")
    first.wait("document.querySelector('#rename-dialog').open")
    first.type("Nephrology")
    first.press("Enter", 13)
    for window in (first, second):
        window.wait("[...document.querySelectorAll('#rooms .name')].some((n) => n.innerText === 'Nephrology')")
    first.screenshot("rooms")
    first.click("#delete")
    first.wait("document.querySelector('#delete-dialog').open")
    first.click("#delete-dialog .danger")
    for window in (first, second):
        window.wait("document.querySelectorAll('#rooms li').length === 1")
