"""The `openai` connector against a real OpenAI-compatible server: PyPI's litellm proxy, with mock answers."""

import importlib.util
import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

from hub_process import LineReader, environment

pytestmark = [
    pytest.mark.check,
    pytest.mark.skipif(
        importlib.util.find_spec("litellm") is None,
        reason="litellm is not installed; requirements-litellm.txt names it, and ./dev check installs it"),
]

ANSWER = "The kidneys clean the blood. Sie filtern 180 Liter am Tag. 腎臓"
MASTER_KEY = "sk-litellm-e2e"


@pytest.fixture(scope="module")
def litellm_url(tmp_path_factory):
    directory = tmp_path_factory.mktemp("litellm")
    config = directory / "config.yaml"
    parameters = {"model": "openai/mock", "api_key": "none", "mock_response": ANSWER}
    config.write_text(json.dumps({
        "model_list": [{"model_name": "mock", "litellm_params": parameters}],
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
    }))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = pathlib.Path(sys.executable).parent / "litellm"
    offline = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "NO_PROXY": "*"}
    process = subprocess.Popen(
        [script, "--config", config, "--host", "127.0.0.1", "--port", str(port)], cwd=directory, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=environment(LITELLM_MASTER_KEY=MASTER_KEY, PATH=f"{script.parent}:{os.environ['PATH']}", **offline))
    output = LineReader(process.stdout)
    try:
        assert output.wait(lambda line: "Uvicorn running on" in line, within=120), "\n".join(output.lines)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()
        output.close()


def start(start_hub, litellm_url, key):
    agent = {"agent_type": "mock", "connector": "openai", "base_url": litellm_url, "model": "mock",
             "api_key_env": "LITELLM_KEY"}
    return start_hub(config={"agents": [agent], "default_agent": "mock"}, env={"LITELLM_KEY": key})


def ask(hub, client, text):
    room_id = hub.create_room()
    client.join(room_id)
    ack = client.ask("send", room_id=room_id, text=text)
    return client.wait("stream-ended", stream_id=ack["stream_id"], within=60), hub.row(room_id, ack["exchange_id"])


def test_an_answer_streams_from_litellm_to_every_watcher(start_hub, open_client, litellm_url):
    hub = start(start_hub, litellm_url, MASTER_KEY)
    client = open_client(hub)
    for _ in range(2):
        ended, row = ask(hub, client, "What do kidneys do?")
        assert ended["status"] == "completed" and ended["finish_reason"] == "stop", ended
        assert client.texts[ended["stream_id"]] == row["agent_response"] == ANSWER
        assert row["agent_type"] == "mock" and row["metadata"]["tokens_used"] > 0
        assert ended["usage"]["estimated"] is False


def test_a_wrong_key_is_told_without_telling_it(start_hub, open_client, litellm_url):
    hub = start(start_hub, litellm_url, "sk-wrong-key-0123456789")
    ended, row = ask(hub, open_client(hub), "Hello")
    assert ended["status"] == row["status"] == "failed" and ended["error"]["code"] == "AGENT_FAILED"
    assert "sk-wrong-key-0123456789" not in str(ended) and "sk-wrong-key-0123456789" not in hub.stderr
