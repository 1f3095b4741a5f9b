"""The `command` connector through the real hub: the example agent, and programs on their bad days."""

import os
import pathlib
import sys
import time

import pytest

from hub_process import DEADLINE_SECONDS

EXAMPLE = pathlib.Path(__file__).parent / "agents" / "example_agent.py"


def agent(agent_type, *command):
    return {"agent_type": agent_type, "connector": "command", "command": list(command)}


def shell(agent_type, script):
    return agent(agent_type, "/bin/sh", "-c", script)


@pytest.fixture
def start(start_hub):
    def start(*agents, limits=None, **settings):
        example = agent("example", sys.executable, str(EXAMPLE))
        return start_hub(config={
            "agents": [example, *agents], "default_agent": "example", "limits": {"drain_seconds": 0} | (limits or {}),
        } | settings)
    return start


class Talk:
    """One client in one room, asking."""

    def __init__(self, hub, client, **metadata):
        self.hub = hub
        self.client = client
        self.room_id = hub.create_room(name="Kitchen", **metadata)
        client.join(self.room_id)

    def send(self, text, **fields):
        self.ack = self.client.ask("send", room_id=self.room_id, text=text, **fields)
        self.stream_id = self.ack["stream_id"]
        return self.stream_id

    def ask(self, text, **fields):
        return self.client.wait("stream-ended", stream_id=self.send(text, **fields))

    @property
    def text(self):
        return self.client.texts[self.stream_id]

    def events(self, type):
        return [frame for frame in self.client.frames if frame["type"] == type and frame["stream_id"] == self.stream_id]


def is_gone(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def test_the_example_calls_a_tool_and_answers(start, open_client):
    hub = start()
    talk = Talk(hub, open_client(hub))
    ended = talk.ask("What is the weather in Paris")
    assert ended["status"] == "completed" and ended["finish_reason"] == "stop"
    assert talk.text == "The forecast for Paris is rain."
    assert talk.client.reasonings[talk.stream_id] == "The question is about Paris."
    (call,), (result,) = talk.events("tool-call"), talk.events("tool-result")
    assert call["id"] == "call_1" and call["name"] == "forecast" and call["arguments"] == {"city": "Paris"}
    assert result["id"] == "call_1" and result["result"] == {"forecast": "rain"}
    assert call["offset"] == result["offset"] == 0 and call["seq"] < result["seq"]
    assert ended["usage"]["total_tokens"] == 13 and ended["usage"]["estimated"] is False
    row = hub.row(talk.room_id, talk.ack["exchange_id"])
    assert row["agent_response"] == talk.text and row["metadata"]["model"] == "example"


def test_the_example_acts_and_knows_the_conversation(start, open_client):
    hub = start()
    talk = Talk(hub, open_client(hub))
    talk.ask("Please open the papers")
    (action,) = talk.events("action")
    assert action["action"] == "open_page" and action["url"] == "/papers" and action["offset"] == len("Here they are.")
    talk.ask("Thanks 👋🏽")
    assert talk.text == "ann in Kitchen said: Thanks 👋🏽 (2 earlier messages)"


@pytest.mark.parametrize("script, status, code, words", [
    ("echo '{\"type\":\"text\",\"delta\":\"Hi\"}'; exit 3", "failed", "AGENT_FAILED", "exit status 3"),
    ("echo '{\"type\":\"text\",\"delta\":\"Hi\"}'; kill -KILL $$", "failed", "AGENT_FAILED", "killed by signal 9"),
    ("echo '{\"type\":\"text\",\"delta\":\"Hi\"}'; echo rubbish; sleep 1000", "failed", "AGENT_FAILED", "JSON object"),
    ("echo '{\"type\":\"text\",\"delta\":\"Hi\"}'; sleep 1000", "failed", "AGENT_TIMEOUT", ""),
])
def test_a_bad_program_fails_its_stream_and_nothing_else(start, open_client, script, status, code, words):
    hub = start(shell("bad", script), limits={"agent_silent_seconds": 1})
    talk = Talk(hub, open_client(hub))
    ended = talk.ask("Hello", agent_type="bad")
    assert ended["status"] == status and ended["error"]["code"] == code and words in ended["error"]["message"]
    assert talk.text == "Hi"
    assert talk.ask("Hello")["status"] == "completed"


def test_a_flood_is_cut_at_the_limit_of_a_response(start, open_client):
    hub = start(
        shell("flood", "exec yes '{\"type\":\"text\",\"delta\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}'"),
        shell("large", "printf '{\"type\":\"action\",\"action\":\"x\",\"y\":\"'; head -c 70000 /dev/zero | tr '\\0' y;"
              " echo '\"}'; sleep 1000"),
        limits={"response_bytes_max": 100_000})
    talk = Talk(hub, open_client(hub))
    ended = talk.ask("Hello", agent_type="flood")
    assert ended["status"] == "completed" and ended["finish_reason"] == "length" and ended["length"] == 100_000
    ended = talk.ask("Hello", agent_type="large")
    assert ended["status"] == "failed" and ended["error"]["code"] == "AGENT_FAILED"
    assert talk.ask("Hello")["status"] == "completed"


@pytest.mark.parametrize("trap", ["", "trap '' TERM; "])
def test_a_cancel_ends_the_program_whether_it_listens_or_not(start, open_client, trap):
    hub = start(shell("endless", trap + "echo '{\"type\":\"text\",\"delta\":\"'$$'\"}'; while :; do sleep 1000; done"))
    talk = Talk(hub, open_client(hub))
    talk.send("Hello", agent_type="endless")
    talk.client.wait_text(talk.stream_id, 1)
    process = int(talk.text)
    assert not is_gone(process)
    assert talk.client.ask("cancel", stream_id=talk.stream_id)["state"] == "accepted"
    assert talk.client.wait("stream-ended", stream_id=talk.stream_id)["status"] == "cancelled"
    assert is_gone(process)


def test_no_program_outlives_the_hub(start, open_client):
    hub = start(
        shell("endless", "trap '' TERM; echo '{\"type\":\"text\",\"delta\":\"'$$'\"}'; while :; do sleep 1000; done"))
    talk = Talk(hub, open_client(hub))
    talk.send("Hello", agent_type="endless")
    talk.client.wait_text(talk.stream_id, 1)
    assert hub.stop() == 0
    assert is_gone(int(talk.text))


def test_a_program_ends_with_a_hub_that_is_killed(start, open_client):
    hub = start(shell("endless", "trap '' TERM HUP; echo '{\"type\":\"text\",\"delta\":\"'$$'\"}'; exec sleep 1000"))
    talk = Talk(hub, open_client(hub))
    talk.send("Hello", agent_type="endless")
    talk.client.wait_text(talk.stream_id, 1)
    hub.kill()
    deadline = time.monotonic() + DEADLINE_SECONDS
    while is_running(int(talk.text)):
        assert time.monotonic() < deadline, "the program outlives the hub"
        time.sleep(0.01)


def is_running(process):
    """Not gone and not a zombie, which whoever adopted it has yet to reap."""
    try:
        return ") Z " not in pathlib.Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False


def test_a_program_gets_no_key_of_the_hub(start_hub, open_client):
    script = """
        printf '{"type":"text","delta":"%s"}\\n' "$MODEL_API_KEY,$TOOL_KEY,$MODE,$LANG"
        echo '{"type":"finished"}'
    """
    show = shell("show", script) | {"pass_env": ["TOOL_KEY"], "env": {"MODE": "fast"}}
    hub = start_hub(
        config={"agents": [show], "default_agent": "show"},
        env={"MODEL_API_KEY": "secret", "TOOL_KEY": "key", "LANG": "C"})
    talk = Talk(hub, open_client(hub))
    assert talk.ask("Hello")["status"] == "completed"
    assert talk.text == ",key,fast,C"


def test_turns_leave_no_process_and_no_descriptor_behind(start, open_client):
    hub = start(shell("crash", "sleep 1000 & exit 1"), agent("nowhere", "no-such-program"))
    talk = Talk(hub, open_client(hub))
    process = pathlib.Path(f"/proc/{hub.process.pid}")

    def ask_each():
        for agent_type in ("example", "crash", "nowhere"):
            talk.ask("Hello", agent_type=agent_type)
        return len(list((process / "fd").iterdir()))

    open_after_one = ask_each()
    assert [ask_each() for _ in range(5)] == [open_after_one] * 5
    assert not "".join(path.read_text() for path in process.glob("task/*/children")).split()


def test_a_message_goes_where_the_rules_say(start, open_client):
    hub = start(
        agent("bills", sys.executable, str(EXAMPLE)), agent("trips", sys.executable, str(EXAMPLE)),
        routes=[{"agent_type": "bills", "keywords": ["invoice"]}, {"agent_type": "trips", "keywords": ["night train"]}])
    client = open_client(hub)
    talk = Talk(hub, client)

    def agent_for(text, **fields):
        talk.ask(text, **fields)
        return client.wait("stream-started", stream_id=talk.stream_id)["agent_type"]

    assert agent_for("Where is my Invoice?") == "bills"
    assert agent_for("The night train") == "trips"
    assert agent_for("Invoices by train") == "example"
    assert agent_for("My invoice", agent_type="trips") == "trips"
    talk = Talk(hub, client, initial_agent="trips")
    assert agent_for("My invoice") == "trips"
