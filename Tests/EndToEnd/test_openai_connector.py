"""The `openai` connector against a server that does what real ones do on their bad days."""

import time

import pytest

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
KEY = "sk-e2e-secret-0123456789"


class Conversation:
    """One client in one room of one hub, asking."""

    def __init__(self, hub, client):
        self.hub = hub
        self.client = client
        self.room_id = hub.create_room()
        client.join(self.room_id)

    def send(self, text="Hello"):
        self.ack = self.client.ask("send", room_id=self.room_id, text=text)
        self.stream_id = self.ack["stream_id"]

    def wait_text(self, text):
        assert self.client.wait_text(self.stream_id, len(text.encode())) == text

    def wait_end(self):
        return self.client.wait("stream-ended", stream_id=self.stream_id)

    @property
    def text(self):
        return self.client.texts[self.stream_id]

    @property
    def row(self):
        return self.hub.row(self.room_id, self.ack["exchange_id"])


@pytest.fixture
def talk(hub, open_client):
    return Conversation(hub, open_client(hub))


def test_an_answer_its_usage_and_the_request_that_asked_for_it(start_hub, open_client, model):
    settings = {"system_prompt": "Be brief.", "parameters": {"temperature": 0.5}, "api_key_env": "MODEL_API_KEY"}
    hub = start_hub(config=model.config(**settings), env={"MODEL_API_KEY": KEY})
    talk = Conversation(hub, open_client(hub))
    talk.send("Who are you?")
    call = model.next_call()
    assert call.request_line == "POST /v1/chat/completions HTTP/1.1"
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.headers["content-type"] == "application/json"
    assert call.body["model"] == "test-model" and call.body["stream"] is True and call.body["temperature"] == 0.5
    assert call.body["messages"] == [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who are you?"}]
    call.delta(role="assistant", content="")
    for piece in ("I am", " a", " model."):
        call.say(piece)
    call.finish(usage=USAGE)

    ended = talk.wait_end()
    assert ended["status"] == "completed" and ended["finish_reason"] == "stop" and talk.text == "I am a model."
    assert {name: ended["usage"][name] for name in USAGE} == USAGE
    assert ended["usage"]["model"] == "test-model-7" and ended["usage"]["estimated"] is False
    assert talk.row["metadata"]["tokens_used"] == 18 and talk.row["metadata"]["model"] == "test-model-7"
    assert talk.row["metadata"]["response_time_ms"] >= 0
    assert KEY not in hub.stderr


def test_a_slow_first_token_is_no_failure(talk, model):
    talk.send()
    call = model.next_call()
    talk.client.wait("stream-started", stream_id=talk.stream_id)
    talk.client.catch_up()
    assert talk.text == ""
    call.begin()
    talk.client.catch_up()
    call.say("At last")
    talk.wait_text("At last")
    call.finish()
    ended = talk.wait_end()
    assert ended["status"] == "completed" and ended["usage"]["estimated"] is True


def test_each_token_is_passed_on_when_it_comes(talk, model):
    talk.send()
    call = model.next_call()
    text = ""
    for word in "one two three four five".split():
        call.say(word)
        text += word
        talk.wait_text(text)
    call.finish()
    assert talk.wait_end()["status"] == "completed"


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_before_the_stream_fails_at_once_and_tells_why(talk, model, status):
    talk.send()
    model.next_call().respond(status, {"error": {"message": "no model for you, sorry"}})
    ended = talk.wait_end()
    assert ended["status"] == "failed" and ended["error"]["code"] == "AGENT_FAILED" and ended["length"] == 0
    assert str(status) in ended["error"]["message"] and "no model for you" in ended["error"]["message"]
    assert talk.row["status"] == "failed" and not model.has_calls


def test_the_key_is_hidden_where_the_server_repeats_it(start_hub, open_client, model):
    hub = start_hub(config=model.config(api_key_env="MODEL_API_KEY"), env={"MODEL_API_KEY": KEY})
    talk = Conversation(hub, open_client(hub))
    talk.send()
    model.next_call().respond(401, {"error": {"message": f"Incorrect API key provided: {KEY}."}})
    assert KEY not in str(talk.wait_end())
    assert KEY not in hub.stderr


def test_a_fault_that_may_pass_is_tried_again_before_the_first_token(talk, model):
    talk.send()
    model.next_call().respond(503, {"error": {"message": "overloaded"}})
    model.next_call().cut()
    call = model.next_call()
    call.say("Third time lucky")
    call.finish()
    assert talk.wait_end()["status"] == "completed" and talk.text == "Third time lucky"


def test_an_unreachable_server_fails_with_a_sentence(start_hub, open_client, model):
    hub = start_hub(config=model.config())
    model.close()
    talk = Conversation(hub, open_client(hub))
    talk.send()
    ended = talk.wait_end()
    assert ended["status"] == "failed" and ended["error"]["code"] == "AGENT_FAILED"


def test_an_error_in_mid_stream_keeps_what_was_said(talk, model):
    talk.send()
    call = model.next_call()
    call.say("So far")
    talk.wait_text("So far")
    call.event({"error": {"message": "out of memory", "code": 500}})
    ended = talk.wait_end()
    assert ended["status"] == "failed" and ended["error"]["code"] == "AGENT_FAILED"
    assert "out of memory" in ended["error"]["message"]
    assert talk.row["status"] == "failed" and talk.row["agent_response"] == talk.text == "So far"


@pytest.mark.parametrize("cut", [
    lambda call: call.cut(),
    lambda call: call.raw(b"data: {\"choices\": [{\"del") or call.cut(),
    lambda call: call.event(b"this is not JSON"),
], ids=["reset", "reset within an event", "garbage"])
def test_a_broken_stream_fails_and_is_not_asked_again(talk, model, cut):
    talk.send()
    call = model.next_call()
    call.say("Half of")
    talk.wait_text("Half of")
    cut(call)
    ended = talk.wait_end()
    assert ended["status"] == "failed" and ended["error"]["code"] == "AGENT_FAILED"
    assert talk.row["agent_response"] == "Half of" and not model.has_calls
    talk.send("Still there?")
    call = model.next_call()
    call.finish()
    assert talk.wait_end()["status"] == "completed"


@pytest.mark.parametrize("said", ["", "Well"])
def test_a_model_that_falls_silent_times_out(start_hub, open_client, model, said):
    hub = start_hub(config=model.config(limits={"agent_silent_seconds": 1}))
    talk = Conversation(hub, open_client(hub))
    talk.send()
    call = model.next_call()
    call.begin()
    if said:
        call.say(said)
    ended = talk.wait_end()
    assert ended["status"] == "failed" and ended["error"]["code"] == "AGENT_TIMEOUT" and talk.text == said
    call.wait_closed()
    assert talk.row["status"] == "failed" and talk.row["agent_response"] == said


def test_tool_calls_and_reasoning_have_their_places(talk, model):
    talk.send("What is the weather in Grünau?")
    call = model.next_call()
    call.delta(reasoning_content="I need ")
    call.delta(reasoning_content="the weather.")
    call.say("Let me see: ")
    call.delta(tool_calls=[{"index": 0, "id": "w1", "type": "function",
                            "function": {"name": "weather", "arguments": ""}}])
    for piece in ('{"pla', 'ce": "Grünau"', "}"):
        call.delta(tool_calls=[{"index": 0, "function": {"arguments": piece}}])
    call.finish("tool_calls", USAGE)
    ended = talk.wait_end()
    assert ended["status"] == "completed" and ended["finish_reason"] == "tool_calls"
    tool_call = talk.client.wait("tool-call", stream_id=talk.stream_id)
    assert (tool_call["id"], tool_call["name"]) == ("w1", "weather")
    assert tool_call["arguments"] == {"place": "Grünau"} and tool_call["offset"] == len("Let me see: ")
    assert talk.client.reasonings[talk.stream_id] == "I need the weather."

    [exchange] = talk.client.ask("history", room_id=talk.room_id)["exchanges"]
    assert exchange["reasoning"] == "I need the weather." and exchange["text"] == "Let me see: "
    [event] = exchange["events"]
    assert event["type"] == "tool-call" and event["name"] == "weather" and event["offset"] == len("Let me see: ")
    assert exchange["usage"]["total_tokens"] == 18


def test_events_may_arrive_in_any_pieces(talk, model):
    talk.send()
    call = model.next_call()
    stream = 'data: {"choices":[{"index":0,"delta":{"content":"Grüße, 🎈"}}]}\r\n\r\n: ping\n\ndata:[DONE]\n\n'.encode()
    for index in range(len(stream)):
        call.raw(stream[index:index + 1])
    assert talk.wait_end()["status"] == "completed" and talk.text == "Grüße, 🎈"


def test_a_response_over_its_limit_is_cut_there(start_hub, open_client, model):
    hub = start_hub(config=model.config(limits={"response_bytes_max": 1000}))
    talk = Conversation(hub, open_client(hub))
    talk.send()
    call = model.next_call()
    call.say("ä" * 700)
    ended = talk.wait_end()
    assert ended["status"] == "completed" and ended["finish_reason"] == "length" and ended["length"] <= 1000
    call.wait_closed()
    assert talk.row["agent_response"] == talk.text == "ä" * (ended["length"] // 2)


def test_a_cancel_closes_the_models_connection_within_100_ms(hub, model, open_client, capsys):
    talk = Conversation(hub, open_client(hub))
    took = []
    for _ in range(5):
        talk.send("A long story, please")
        call = model.next_call()
        call.say("Once upon a time")
        talk.wait_text("Once upon a time")
        id = talk.client.post("cancel", stream_id=talk.stream_id)
        sent_at = time.monotonic()
        took.append(call.wait_closed() - sent_at)
        assert talk.client.answer(id)["state"] == "accepted"
        ended = talk.wait_end()
        assert ended["status"] == "cancelled"
        assert talk.row["status"] == "cancelled" and talk.row["agent_response"] == "Once upon a time"
    with capsys.disabled():
        figures = ", ".join(f"{seconds * 1000:.1f} ms" for seconds in took)
        print(f"\nfrom a cancel's frame to the model's closed connection: {figures}")
    assert min(took) < 0.1


def test_a_cancel_is_possible_before_the_first_token_and_of_a_waiting_turn(talk, model):
    talk.send("First")
    call = model.next_call()
    first = talk.stream_id
    talk.send("Second")
    assert talk.ack["queued"] is True
    second = talk.stream_id
    assert talk.client.ask("cancel", stream_id=second)["state"] == "accepted"
    ended = talk.client.wait("stream-ended", stream_id=second)
    assert ended["status"] == "cancelled" and ended["length"] == 0
    assert not [f for f in talk.client.frames if f["type"] == "stream-started" and f["stream_id"] == second]
    assert talk.client.ask("cancel", stream_id=first)["state"] == "accepted"
    call.wait_closed()
    assert talk.client.wait("stream-ended", stream_id=first)["status"] == "cancelled"
    assert not model.has_calls
    assert talk.client.refusal("cancel", stream_id="stream_none")["code"] == "NOT_FOUND"


def test_a_lost_connection_is_no_cancel(talk, hub, model, open_client):
    talk.send()
    call = model.next_call()
    call.say("Still ")
    talk.wait_text("Still ")
    talk.client.close()
    watcher = open_client(hub)
    watcher.join(talk.room_id)
    call.say("here")
    call.finish()
    ended = watcher.wait("stream-ended", stream_id=talk.stream_id)
    assert ended["status"] == "completed" and watcher.texts[talk.stream_id] == "Still here"
