"""Headless Chromium, driven over the DevTools protocol."""

import base64
import contextlib
import itertools
import json
import os
import pathlib
import subprocess
import time

from websockets.sync.client import connect

from hub_process import DEADLINE_SECONDS, LineReader, environment

CHROMIUM = "/usr/bin/chromium"
# Tells the marks of `Window.begin` from those that Chromium makes by itself, also in its own pages.
STAGE = "stage: "


class Browser:
    """One browser process with its own profile.

    `names` are hosts that lead to this machine as 127.0.0.1, whoever else they may belong to; addresses among them."""

    def __init__(self, profile, names=()):
        command = [
            CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-background-timer-throttling",
            "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows", "--no-proxy-server",
            "--host-resolver-rules=" + ",".join(f"MAP {name} 127.0.0.1" for name in names),
            "--remote-debugging-port=0", f"--user-data-dir={profile}", "--window-size=1100,760", "about:blank",
        ]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env=environment(HOME=str(profile)), start_new_session=True)
        self._stderr = LineReader(self._process.stderr)
        try:
            prefix = "DevTools listening on "
            line = self._stderr.wait(lambda line: line.startswith(prefix))
            assert line, "\n".join(self._stderr.lines)
            self._socket = connect(
                line.removeprefix(prefix), max_size=None, max_queue=None, ping_interval=None, compression=None,
                proxy=None)
        except BaseException:
            self._process.kill()
            raise
        self._ids = itertools.count(1)
        self._trace = []
        self.problems = []

    def call(self, method, session=None, within=DEADLINE_SECONDS, **parameters):
        id = next(self._ids)
        message = {"id": id, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        self._socket.send(json.dumps(message))
        answer = self._find(lambda answer: answer.get("id") == id, within)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def _find(self, is_wanted, within=DEADLINE_SECONDS):
        """The next message that is wanted; what the others report is kept."""
        deadline = time.monotonic() + within
        while True:
            message = json.loads(self._socket.recv(timeout=max(0, deadline - time.monotonic())))
            if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.problems.append(message["params"])
            elif message.get("method") == "Tracing.dataCollected":
                self._trace += message["params"]["value"]
            if is_wanted(message):
                return message

    @contextlib.contextmanager
    def trace(self, *categories):
        """Afterwards the list has the events."""
        self._trace = []
        self.call("Tracing.start", transferMode="ReportEvents", traceConfig={"includedCategories": categories})
        yield self._trace
        self.call("Tracing.end")
        self._find(lambda message: message.get("method") == "Tracing.tracingComplete")

    def person(self):
        """Someone with cookies and storage of their own."""
        return self.call("Target.createBrowserContext", disposeOnDetach=True)["browserContextId"]

    def open(self, url, person):
        """Opens a window."""
        target = self.call("Target.createTarget", url="about:blank", newWindow=True, browserContextId=person)
        session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        window = Window(self, session)
        for domain in ("Page", "Runtime", "Log"):
            window.call(f"{domain}.enable")
        window.call("Page.navigate", url=url)
        return window

    def close(self):
        try:
            self.call("Browser.close")
            self._socket.close()
            self._process.wait(DEADLINE_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()
            self._stderr.close()


class Window:
    def __init__(self, browser, session):
        self._browser = browser
        self._session = session

    def call(self, method, **parameters):
        return self._browser.call(method, self._session, **parameters)

    def evaluate(self, expression):
        """The value of a JavaScript expression, awaited if it is a promise."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, (expression, answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait(self, expression, within=DEADLINE_SECONDS):
        """Waits in the page until an expression is true; returns it. A page that goes away meanwhile is asked anew."""
        deadline = time.monotonic() + within
        look = f"""new Promise((resolve) => {{
            const end = Date.now() + 1000;
            const look = () => {{
                let value = null;
                try {{ value = {expression}; }} catch {{ }}
                value || Date.now() > end ? resolve(value) : setTimeout(look, 10);
            }};
            look();
        }})"""
        while time.monotonic() < deadline:
            answer = self._evaluate_or_none(look)
            if answer:
                return answer
        self.screenshot("failure")
        raise AssertionError(f"not within {within} s: {expression}\n{self._browser.problems}\n{self.text('body')}")

    def _evaluate_or_none(self, expression):
        try:
            return self.evaluate(expression)
        except AssertionError as error:
            if any(words in str(error) for words in ("context was destroyed", "navigated", "Cannot find context")):
                return None
            raise

    def begin(self, stage):
        self.evaluate(f"performance.mark({json.dumps(STAGE + stage)}) && 0")

    @contextlib.contextmanager
    def measured_tasks(self):
        """Afterwards the dictionary has each stage's longest task of the page's main thread, in milliseconds of its own
        processor time, which a busy machine does not lengthen."""
        longest = {}
        with self._browser.trace("blink.user_timing", "disabled-by-default-devtools.timeline") as events:
            yield longest
        stages = [event for event in events if event["name"].startswith(STAGE)]
        thread = stages[0]["pid"], stages[0]["tid"]
        tasks = [
            event for event in events if event["name"] == "RunTask" and (event["pid"], event["tid"]) == thread]
        stage = None
        for event in sorted(stages + tasks, key=lambda event: event["ts"]):
            if event["name"] != "RunTask":
                stage = event["name"].removeprefix(STAGE)
            elif stage:
                longest[stage] = max(longest.get(stage, 0), round(event.get("tdur", 0) / 1000))

    def text(self, selector):
        return self.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? null")

    def click(self, selector):
        """Clicks where the element is, as a person would: what covers it gets the click."""
        selector = json.dumps(selector)
        self.wait(f"(({{ width }}) => width > 0)(document.querySelector({selector}).getBoundingClientRect())")
        x, y = self.evaluate(
            f"(({{ x, y, width, height }}) => [x + width / 2, y + height / 2])"
            f"(document.querySelector({selector}).getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def press(self, key, code):
        event = {"key": key, "code": key, "windowsVirtualKeyCode": code, "text": "\r" if key == "Enter" else ""}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, **event)

    def reload(self):
        self.evaluate("window.isOld = true")
        self.call("Page.reload")
        self.wait("!window.isOld && document.readyState === 'complete'")

    def screenshot(self, name):
        """Into the directory that HUBBUB_SCREENSHOTS names, if it does."""
        directory = os.environ.get("HUBBUB_SCREENSHOTS")
        if directory:
            data = self.call("Page.captureScreenshot", format="png")["data"]
            pathlib.Path(directory).mkdir(parents=True, exist_ok=True)
            (pathlib.Path(directory) / f"{name}.png").write_bytes(base64.b64decode(data))
