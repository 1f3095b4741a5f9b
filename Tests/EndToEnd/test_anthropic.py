"""The `anthropic` connector through the real hub: a server that speaks Anthropic's events."""

import json


def event(call, type, **fields):
    call.raw(f"event: {type}\ndata: {json.dumps({'type': type} | fields)}\n\n".encode())


def block(call, index, kind, start, *deltas):
    event(call, "content_block_start", index=index, content_block={"type": kind} | start)
    for delta in deltas:
        event(call, "content_block_delta", index=index, delta=delta)
    event(call, "content_block_stop", index=index)


def test_a_turn_with_thinking_a_tool_and_text(start_hub, model, open_client):
    agent = model.agent("claude", connector="anthropic", system_prompt="You serve {{user_id}} in {{room_name}}.")
    hub = start_hub(config={"agents": [agent], "default_agent": "claude", "limits": {"drain_seconds": 0}})
    room_id = hub.create_room(name="Kitchen")
    client = open_client(hub)
    client.join(room_id)
    ack = client.ask("send", room_id=room_id, text="Hello")
    call = model.next_call()
    assert call.request_line.startswith("POST /v1/messages ") and call.headers["anthropic-version"] == "2023-06-01"
    assert call.body["system"] == "You serve ann in Kitchen." and call.body["stream"] is True
    assert call.body["messages"] == [{"role": "user", "content": "Hello"}]
    event(call, "message_start", message={
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m-1", "content": [], "stop_reason": None,
        "usage": {"input_tokens": 9, "output_tokens": 1}})
    event(call, "ping")
    block(call, 0, "thinking", {"thinking": ""}, {"type": "thinking_delta", "thinking": "Hm."})
    block(call, 1, "text", {"text": ""}, *({"type": "text_delta", "text": text} for text in ("Grüße", " 🎈")))
    block(call, 2, "tool_use", {"id": "t1", "name": "look", "input": {}},
          {"type": "input_json_delta", "partial_json": '{"at": '}, {"type": "input_json_delta", "partial_json": "7}"})
    event(call, "message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 5})
    event(call, "message_stop")
    ended = client.wait("stream-ended", stream_id=ack["stream_id"])
    assert (ended["status"], ended["finish_reason"]) == ("completed", "tool_calls")
    assert client.texts[ack["stream_id"]] == "Grüße 🎈" and client.reasonings[ack["stream_id"]] == "Hm."
    tool = client.wait("tool-call", stream_id=ack["stream_id"])
    assert tool["name"] == "look" and tool["arguments"] == {"at": 7} and tool["offset"] == len("Grüße 🎈".encode())
    usage = ended["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["estimated"]) == (9, 5, False)


def test_an_error_of_the_api_fails_the_stream(start_hub, model, open_client):
    agent = model.agent("claude", connector="anthropic")
    hub = start_hub(config={"agents": [agent], "default_agent": "claude", "limits": {"drain_seconds": 0}})
    room_id = hub.create_room()
    client = open_client(hub)
    client.join(room_id)
    ack = client.ask("send", room_id=room_id, text="Hello")
    model.next_call().respond(400, {"type": "error", "error": {"type": "invalid_request_error", "message": "no such"}})
    ended = client.wait("stream-ended", stream_id=ack["stream_id"])
    assert ended["status"] == "failed" and ended["error"]["code"] == "AGENT_FAILED"
    assert "no such" in ended["error"]["message"]
