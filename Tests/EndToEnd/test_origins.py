"""Pages of other origins, and names that lead here, in headless Chromium: they run no agent and read nothing, unless
`--origins` lists them."""

import json
import pathlib
import struct

import pytest
import yaml

from browser import CHROMIUM, Browser
from hub_process import REPOSITORY
from raw_client import CLOSE, RawConnection
from web_site import WebSite

needs_browser = pytest.mark.skipif(not pathlib.Path(CHROMIUM).exists(), reason=f"there is no {CHROMIUM}")

# To the first two a browser says by `Sec-Fetch-Site` who asks. To the others, the last of which is a stranger's name
# for this machine, it says nothing.
LAN = "192.168.7.7"
HOSTS = ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", LAN, "hub.example"]
# Each way in which a page can make a browser `GET` something without a preflight; a promise that it was answered.
WAYS = """({
    image: (src) => new Promise((done) => Object.assign(new Image(), {onload: done, onerror: done, src})),
    frame: (src) => load('iframe', src),
    script: (src) => load('script', src),
    fetch: (url) => fetch(url, {mode: 'no-cors', headers: {Accept: 'text/event-stream'}}).catch(() => 0),
    quiet: (url) => fetch(url, {mode: 'no-cors', referrerPolicy: 'no-referrer'}).catch(() => 0),
    events: (url) => new Promise((done) => { new EventSource(url).onerror = done; }),
})"""
LOAD = """(tag, src) => new Promise((done) =>
    document.body.append(Object.assign(document.createElement(tag), {onload: done, onerror: done, src})))"""


@pytest.fixture
def site():
    site = WebSite()
    site.pages["/"] = "<!doctype html><title>page</title><body>"
    yield site
    site.close()


@pytest.fixture
def open_page(site, tmp_path):
    """Opens the site's page under the name of a host."""
    browser = Browser(tmp_path / "chromium", names=("*.example", LAN))
    person = browser.person()

    def open(host, port=None, path="/"):
        window = browser.open(f"http://{host}:{port or site.port}{path}", person)
        window.wait(f"location.pathname === '{path}' && document.readyState === 'complete'")
        return window

    open.url = f"http://stranger.example:{site.port}/"
    yield open
    browser.close()


def sending(hub, host, question):
    return f"http://{host}:{hub.port}/api/chat/message?user_id=alice&query={question}"


@needs_browser
def test_nothing_in_another_page_runs_an_agent(hub, model, open_page):
    window = open_page("stranger.example")
    urls = [sending(hub, host, "secret") for host in HOSTS]
    window.evaluate(f"""void (async () => {{
        const load = {LOAD};
        const asked = Object.values({WAYS}).flatMap((way) => {json.dumps(urls)}.map((url) => way(url)));
        window.answered = (await Promise.all(asked)).length;
    }})()""")
    assert window.wait("answered") == 6 * len(HOSTS)
    assert not model.has_calls and hub.ask("GET", "/api/rooms?user_id=alice")["total"] == 0
    assert " warning refused " in hub.stderr and "secret" not in hub.stderr and "alice" not in hub.stderr


@needs_browser
def test_no_link_in_a_page_or_a_mail_runs_an_agent(hub, model, open_page):
    window = open_page("stranger.example")
    for host in HOSTS:
        url = sending(hub, host, "secret")
        for follow in (
                lambda: window.evaluate(f"void setTimeout(() => location.href = '{url}')"),
                lambda: window.call("Page.navigate", url=url)):
            window.call("Page.navigate", url=open_page.url)
            window.wait("document.title === 'page'")
            follow()
            window.wait("location.pathname === '/api/chat/message' && document.readyState === 'complete'")
            code = json.loads(window.text("body"))["error_code"]
            assert code == ("MISDIRECTED_REQUEST" if host == "hub.example" else "ACCESS_DENIED")
    assert not model.has_calls and hub.ask("GET", "/api/rooms?user_id=alice")["total"] == 0


@needs_browser
def test_a_name_that_was_pointed_here_reads_nothing(hub, open_page):
    hub.create_room("alice", name="secret")
    window = open_page("rebound.example", hub.port, "/healthz")
    for method, path in (("GET", "/api/rooms?user_id=alice"), ("POST", "/api/rooms"), ("GET", "/")):
        status, body = window.evaluate(
            f"fetch('{path}', {{method: '{method}'}}).then(async (answer) => [answer.status, await answer.text()])")
        assert status == 421 and "--origins" in body and "secret" not in body
    assert window.evaluate("""new Promise((done) => {
        const socket = new WebSocket(`ws://${location.host}/ws?user_id=alice`, "hubbub.v1");
        socket.onmessage = () => done("open");
        socket.onclose = () => done("refused");
    })""") == "refused"
    assert 'host="rebound.example:' in hub.stderr


@needs_browser
def test_a_listed_page_reads_and_sends(start_hub, model, site, open_page):
    hub = start_hub("--origins", f"http://friend.example:{site.port}", config=model.config())
    window = open_page("friend.example")

    def ask(method, path, body=None):
        """Status, `Location` and body as the page's script sees them."""
        options = {"method": method} | ({} if body is None else {
            "body": json.dumps(body), "headers": {"Content-Type": "application/json", "Authorization": "Bearer t"}})
        return window.evaluate(
            f"fetch('{hub.url}{path}', {json.dumps(options)})"
            ".then(async (answer) => [answer.status, answer.headers.get('Location'), await answer.json()])")

    status, location, body = ask("POST", "/api/rooms", {"user_id": "bob", "room_name": "Shared"})
    assert status == 201 and location == f"/api/rooms/{body['data']['room_id']}"
    assert ask("PATCH", location, {"user_id": "bob", "room_name": "Renamed"})[0] == 200
    assert ask("GET", location)[2]["data"]["room_name"] == "Renamed"
    status, _, body = ask("GET", "/api/rooms/room_none")
    assert status == 404 and body["error_code"] == "NOT_FOUND"
    window.evaluate(f"""(() => {{
        window.events = [];
        const source = new EventSource("{hub.url}/api/chat/message?user_id=bob&query=Hello");
        source.onmessage = (event) => events.push(JSON.parse(event.data));
    }})()""")
    call = model.next_call()
    assert call.question == "Hello"
    call.say("Hi")
    call.finish()
    window.wait("events.at(-1)?.status === 'completed'")
    assert window.evaluate("events.map((event) => event.content ?? '').join('')") == "Hi"


@needs_browser
def test_an_unlisted_page_reads_and_changes_nothing(start_hub, model, site, open_page):
    hub = start_hub("--origins", f"http://friend.example:{site.port}", config=model.config())
    room_id = hub.create_room("alice", name="Mine")
    window = open_page("stranger.example")
    for options in ("{}", "{method: 'DELETE'}", "{method: 'POST', body: '{}'}", "{headers: {'Hubbub-Send': '1'}}"):
        for path in (f"/api/rooms/{room_id}?user_id=alice", "/api/chat/message?user_id=alice&query=Hello"):
            assert window.evaluate(
                f"fetch('{hub.url}{path}', {options}).then(() => 'read', (error) => error.name)") == "TypeError"
    assert hub.ask("GET", f"/api/rooms/{room_id}")["room_name"] == "Mine" and not model.has_calls


# The same without a browser.


def test_a_socket_from_another_page_is_told_which_option_allows_it(hub):
    with RawConnection(hub) as connection:
        assert connection.upgrade("GET", "/ws?user_id=alice", Origin="https://chat.example").status == 101
        opcode, payload = connection.next_frame()
        while opcode != CLOSE:
            opcode, payload = connection.next_frame()
        assert struct.unpack(">H", payload[:2]) == (4201,) and b"--origins" in payload
    assert 'origin="https://chat.example"' in hub.stderr and "--origins" in hub.stderr and "alice" not in hub.stderr


def test_a_socket_to_another_name_is_told_which_option_allows_it(hub, start_hub):
    for to, status in ((hub, 421), (start_hub("--origins", "https://chat.example"), 101)):
        with RawConnection(to) as connection:
            response = connection.upgrade(Host="chat.example:8443", Origin="https://chat.example")
            assert response.status == status and (status == 101 or b"--origins" in response.body)
    assert 'host="chat.example:8443"' in hub.stderr


def test_hundreds_of_refusals_are_a_line_a_second(hub):
    for _ in range(300):
        assert hub.http.get("/", headers={"Host": "chat.example"}).status_code == 421
    lines = [line for line in hub.stderr.splitlines() if " refused " in line]
    assert 1 <= len(lines) < 50


def test_errors_of_every_kind_are_shared_with_listed_pages(start_hub):
    hub = start_hub("--origins", "https://chat.example")
    cases = [
        ("GET", "/api/nothing", {}, 404), ("PUT", "/api/rooms", {}, 405), ("POST", "/api/rooms", {"json": []}, 400),
        ("POST", "/api/rooms", {"content": "x", "headers": {"Content-Type": "text/plain"}}, 415),
        ("POST", "/api/rooms", {"content": b"x" * (1 << 20) + b"x"}, 413), ("GET", "/api/health", {}, 200),
        ("GET", "/api/rooms", {"headers": {"Host": "other.example"}}, 421),
        ("GET", "/api/session/session_none", {}, 404), ("OPTIONS", "/api/rooms", {}, 204),
    ]
    for method, path, options, status in cases:
        for origin, allowed in (("https://chat.example", "https://chat.example"), ("https://evil.example", None)):
            headers = options.get("headers", {}) | {"Origin": origin}
            response = hub.http.request(method, path, **options | {"headers": headers})
            assert response.headers.get("access-control-allow-origin") == allowed, (method, path)
            assert response.headers.get("vary") == "Origin"
            assert response.status_code == (status if allowed or method == "GET" else response.status_code)


def test_every_documented_operation_but_a_probe_answers_421_to_a_foreign_name(hub):
    paths = yaml.safe_load((REPOSITORY / "Protocol/openapi.yaml").read_text())["paths"]
    operations = [
        (method, path, operation) for path, item in paths.items() for method, operation in item.items()
        if method in ("get", "post", "put", "patch", "delete")]
    assert len(operations) > 20
    for method, path, operation in operations:
        response = hub.http.request(
            method, path.replace("{", "").replace("}", ""), headers={"Host": "rebound.example"})
        assert (response.status_code == 421) == ("421" in operation["responses"]), (method, path)
        assert (response.status_code == 421) == (path not in ("/healthz", "/readyz", "/api/health")), (method, path)
