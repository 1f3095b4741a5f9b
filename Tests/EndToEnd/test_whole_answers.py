"""`Accept: application/json`: the whole answer in one document, whatever else happens in its session."""

import threading

import pytest

from hub_process import DEADLINE_SECONDS

PATH = "/api/chat/message"
HEADERS = {"Accept": "application/json"}


@pytest.mark.parametrize("attached", [False, True])
def test_the_answer_comes_though_many_newer_exchanges_exist(hub, model, streams, open_client, attached):
    session = hub.open_session()
    fields = {"session_id": session["session_id"]}
    answer = {}

    def ask():
        if attached:
            answer["response"] = hub.http.get(PATH, params=fields, headers=HEADERS)
        else:
            answer["response"] = hub.http.post(PATH, json={"query": "Why?"} | fields, headers=HEADERS)

    if attached:
        stream = streams.post("Why?", **fields)
        call = model.next_call()
    thread = threading.Thread(target=ask)
    thread.start()
    if attached:
        # Nothing shows from outside that it has attached; half a second is long for that.
        thread.join(0.5)
    else:
        call = model.next_call()
    client = open_client(hub)
    for number in range(21):
        client.ask("send", **fields, room_id=session["room_id"], text=f"note {number}", respond=False)
    call.say("Because.")
    call.finish()
    thread.join(DEADLINE_SECONDS)
    response = answer["response"]
    assert response.status_code == 200, response.text
    data = response.json()["data"]
    assert (data["status"], data["response"]) == ("completed", "Because.")
    if attached:
        stream.finish()
        assert data["exchange_id"] == stream.first["exchange_id"]
