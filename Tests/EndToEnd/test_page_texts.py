"""The page in headless Chromium with texts that were made to freeze it: 1 MiB of each kind."""

import contextlib
import json
import pathlib

import pytest

from browser import CHROMIUM, Browser

pytestmark = pytest.mark.skipif(not pathlib.Path(CHROMIUM).exists(), reason=f"there is no {CHROMIUM}")

USER = "reader"
TEXT_BYTES = 1024 * 1024
TASK_MILLISECONDS_MAX = 200

# What is repeated up to the largest answer that the hub takes.
REPEATED = {
    "newlines": "\n", "one line": "x", "words": "word ", "lines": "a\n", "paragraphs": "a\n\n",
    "carriage returns": "\r\n", "backticks": "`", "code spans": "`a` ", "asterisks": "*", "strong half open": "**x",
    "emphasis": "_a_ ", "underscores": "_", "brackets": "[", "links": "[a](http://b/c) ",
    "links half open": "[a](http://b", "addresses": "http://b/c ", "pipes": "|", "hashes": "#", "headings": "# a\n",
    "rules": "---\n", "nested quotes": ">", "quotes": ">>>>> a\n", "items": "- a\n", "numbered items": "1. a\n",
    "backslashes": "\\", "broken lines": "a\\\n", "combining marks": "\u0301", "families": "👩‍👩‍👧‍👦",
    "two directions": "\u202eא\u202c a", "fences": "```\na\n```\n",
}
TEXTS = {
    "spaces": "a" + " " * (TEXT_BYTES - 2) + "b",
    "deep items": "".join(" " * depth + "- a\n" for depth in range(1400)),
    "code": "```js\n" + "let a = 1;\n" * (TEXT_BYTES // 11 - 1),
    "a line of code": "```\n" + "x" * (TEXT_BYTES - 4),
} | {name: piece * (TEXT_BYTES // len(piece.encode())) for name, piece in REPEATED.items()}

IS_DRAWN = "hubbub.state.room?.exchanges.length === 1 && hubbub.isDrawn"
IS_ANSWERED = "hubbub.state.room.exchanges.at(-1).status === 'completed'"
SCROLL_THROUGH = """(async () => {
    const scroller = document.querySelector('#scroller');
    for (let step = 4; step >= 0; step -= 1) {
        scroller.scrollTop = scroller.scrollHeight * step / 4;
        await new Promise(requestAnimationFrame);
        await new Promise(requestAnimationFrame);
    }
})()"""


@pytest.fixture
def browser(tmp_path):
    browser = Browser(tmp_path / "chromium")
    yield browser
    browser.close()


def open_page(browser, hub):
    """The page of a user that the tests know by name."""
    window = browser.open(hub.url, browser.person())
    window.wait("document.readyState === 'complete' && window.hubbub?.state.room?.isJoined")
    window.evaluate(f"localStorage.setItem('hubbub-user', '{USER}')")
    window.reload()
    window.wait("hubbub.state.room?.isJoined && hubbub.isDrawn")
    return window


@pytest.fixture
def window(browser, hub):
    return open_page(browser, hub)


def enter(window, room_id):
    window.evaluate(f"location.hash = '{room_id}'")
    window.wait(f"hubbub.state.room?.room_id === '{room_id}' && hubbub.state.room.isJoined && hubbub.isDrawn")


def answer(client, model, room_id, text, question="Go on", reasoning=""):
    """Asks a question; the model gives the answer."""
    since = len(client.frames)
    client.ask("send", room_id=room_id, text=question)
    call = model.next_call()
    for start in range(0, len(reasoning), 16384):
        call.delta(reasoning_content=reasoning[start:start + 16384])
    for start in range(0, len(text), 16384):
        call.say(text[start:start + 16384])
    call.finish()
    client.wait("stream-ended", since=since)


def load_everything(window):
    """Of a snapshot that had no room for the text, the text is one click away."""
    window.wait(
        "hubbub.state.room.exchanges.length === 1 || (document.querySelector('#earlier').hidden === false"
        " && document.querySelector('#earlier').click())")


@pytest.fixture
def rooms(start_hub, model, open_client):
    """A hub with a room for each text, and the rooms' ids: the answers become that long while the hub does not run."""
    hub = start_hub(config=model.config())
    client = open_client(hub, USER)
    ids = {name: hub.create_room(USER, name) for name in TEXTS}
    for room_id in ids.values():
        client.join(room_id)
        answer(client, model, room_id, "An answer")
    hub.stop()
    with contextlib.closing(hub.database()) as database, database:
        for name, room_id in ids.items():
            room = database.execute("SELECT id FROM rooms WHERE room_id = ?", (room_id,)).fetchone()
            database.execute("UPDATE exchanges SET text = ? WHERE room = ?", (TEXTS[name], *room))
    return start_hub(config=model.config(), data=hub.data), ids


def look_around(window):
    """Scrolls through the room, then turns a phone."""
    window.begin("scrolling")
    window.evaluate(SCROLL_THROUGH)
    window.begin("turning")
    window.call("Emulation.setDeviceMetricsOverride", width=400, height=800, deviceScaleFactor=1, mobile=True)
    window.wait("innerWidth === 400")
    window.call("Emulation.clearDeviceMetricsOverride")
    window.wait("innerWidth !== 400")


# A minute: there are more than thirty texts, and a task may draw only so much of each.
@pytest.mark.check
def test_no_text_in_a_rooms_history_holds_the_page(rooms, browser):
    hub, ids = rooms
    window = open_page(browser, hub)
    home = window.evaluate("hubbub.state.room.room_id")
    figures = {}
    for name, room_id in ids.items():
        with window.measured_tasks() as longest:
            window.begin("opening")
            enter(window, room_id)
            load_everything(window)
            window.wait(IS_DRAWN)
            look_around(window)
            window.begin("leaving")
            enter(window, home)
        figures[name] = longest
    print(*figures.items(), sep="\n")
    assert not {name: figure for name, figure in figures.items() if max(figure.values()) > TASK_MILLISECONDS_MAX}
    assert not browser.problems, browser.problems


@pytest.mark.parametrize("name", ["spaces", "items", "strong half open", "paragraphs", "code"])
def test_no_text_holds_the_page_while_it_grows(name, window, browser, hub, model, open_client):
    room_id = hub.create_room(USER, name)
    enter(window, room_id)
    client = open_client(hub, USER)
    client.join(room_id)
    with window.measured_tasks() as longest:
        window.begin("growing")
        answer(client, model, room_id, TEXTS[name])
        window.wait(f"{IS_DRAWN} && {IS_ANSWERED}")
        look_around(window)
    print(name, longest)
    assert max(longest.values()) <= TASK_MILLISECONDS_MAX
    assert not browser.problems, browser.problems


def test_long_reasoning_and_long_questions_do_not_hold_the_page_either(window, hub, model, open_client):
    room_id = hub.create_room(USER)
    enter(window, room_id)
    client = open_client(hub, USER)
    client.join(room_id)
    with window.measured_tasks() as longest:
        window.begin("growing")
        answer(client, model, room_id, "Done", "a" + "\u0301" * 16000, "so " * (TEXT_BYTES // 4))
        window.wait(f"{IS_DRAWN} && {IS_ANSWERED}")
        window.evaluate("document.querySelector('.reasoning').open = true")
        look_around(window)
    assert max(longest.values()) <= TASK_MILLISECONDS_MAX
    assert window.evaluate("document.querySelector('.reasoning > div').textContent === "
                           "hubbub.state.room.exchanges[0].reasoning")


# What looks different as long as the next characters are missing.
GROWING = """# Title #

A paragraph with **strong
words**, `code`, *soft* ones,  
a break, [a link](http://a.b/c_(d)) and http://a.b.
--
---
- item
  going on
  - deeper
1. one

> quoted
still quoted
> > twice

```js
let a = 1;

``` no end
```
  
\\
After  
""" + "long line " * 500 + "\n" + "- item\n" * 250 + "```\n" + "code\n" * 450 + "```\n" + "x" * 9000 + "\n\nEnd."


def test_a_text_looks_the_same_however_it_came(window):
    """Drawn whole, in growing pieces and with tasks that end after every block."""
    apart = window.evaluate("""(async () => {
        const { Budget, TextView } = await import('/textview.js');
        const text = TEXT;
        const draw = (step, budget) => {
            const element = document.createElement('div');
            const view = new TextView(element, true);
            for (let end = 1; end < text.length; end += step(end)) {
                view.update(text.slice(0, end));
                view.draw(budget());
            }
            view.update(text);
            while (!view.draw(budget()));
            return element.innerHTML;
        };
        const enough = () => new Budget(Infinity, Infinity);
        const whole = draw(() => text.length, enough);
        const ways = {
            'character by character': draw((end) => end < 1200 ? 1 : 61, enough),
            'block by block': draw(() => text.length, () => new Budget(Infinity, 1)),
            'both': draw(() => 13, () => new Budget(Infinity, 1)),
        };
        return Object.keys(ways).filter((way) => ways[way] !== whole);
    })()""".replace("TEXT", json.dumps(GROWING)))
    assert apart == []


def test_cut_code_is_copied_as_it_was_said(window, hub, model, open_client):
    code = "\n".join(f"line {number}" + "\n" * (number % 3) for number in range(1500)) + "\n" + "z" * 10000
    room_id = hub.create_room(USER)
    enter(window, room_id)
    client = open_client(hub, USER)
    client.join(room_id)
    answer(client, model, room_id, f"```\n{code}\n```")
    window.wait(f"{IS_DRAWN} && {IS_ANSWERED}")
    assert window.evaluate("document.querySelectorAll('.answer pre').length") > 3
    assert window.evaluate("document.querySelector('.answer .text').textContent") == code
    window.screenshot("long-code")


def test_what_a_person_reads_stays_where_it_is(window, hub, model, open_client):
    """While earlier messages are drawn above it and while an answer grows below it."""
    room_id = hub.create_room(USER)
    client = open_client(hub, USER)
    client.join(room_id)
    for number in range(12):
        answer(client, model, room_id, f"Answer {number}. " + "Some words to read.\n\n" * 2000)
    enter(window, room_id)
    is_at_end = "(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight < 2)(scroller)"
    assert window.wait(is_at_end)
    assert window.evaluate("hubbub.state.room.exchanges.length") < 12

    window.evaluate("scroller.scrollTop = 0")
    window.wait("!document.querySelector('#latest').hidden && scroller.scrollTop === 0")
    window.evaluate("window.topOf = (element) => element.getBoundingClientRect().top")
    before = window.wait(
        "(window.reading = document.elementFromPoint(500, 400)).matches('.answer p') && topOf(reading)")
    window.click("#earlier")
    window.wait("hubbub.state.room.exchanges.length === 12 && hubbub.isDrawn")
    assert window.wait("scroller.scrollTop > 10000")
    assert abs(window.evaluate("topOf(reading)") - before) < 2

    answer(client, model, room_id, "More words.\n\n" * 3000)
    window.wait(f"{IS_ANSWERED} && hubbub.isDrawn")
    assert abs(window.evaluate("topOf(reading)") - before) < 2
    window.click("#latest")
    assert window.wait(is_at_end)
