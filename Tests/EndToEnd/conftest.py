"""What the end-to-end tests start, and how it is cleaned up."""

import itertools

import pytest

from chat_client import ChatClient
from event_stream import StreamOpener
from hub_process import Hub, run_command
from model_server import ModelServer

# The exit code of `hubbub check` that says so.
UNSOUND = 3


def pytest_configure(config):
    config.addinivalue_line("markers", "check: wants the release build, or is long; `./dev test` leaves it out")


@pytest.fixture
def start_hub(tmp_path):
    """Starts hubs. One that is still up at the end must stop by SIGTERM and say by its exit code that all is well; what
    each left behind must be sound."""
    hubs = []
    numbers = itertools.count(1)

    def start(*arguments, **options):
        hub = Hub(tmp_path / f"hub{next(numbers)}", *arguments, **options)
        hubs.append(hub)
        return hub

    yield start
    codes = [hub.stop() for hub in hubs if hub.is_running]
    assert all(code == 0 for code in codes), [hub.stderr for hub in hubs]
    for data in {hub.data for hub in hubs if not hub.is_damaged}:
        found = run_command("check", "--data", data)
        assert found.returncode != UNSOUND, found.stderr


@pytest.fixture
def open_client():
    """Opens sockets and closes them at the end."""
    clients = []

    def open(hub, user="ann", **options):
        client = ChatClient(hub, user, **options)
        clients.append(client)
        return client

    yield open
    for client in clients:
        client.close()


@pytest.fixture
def model():
    server = ModelServer()
    yield server
    server.close()


@pytest.fixture
def hub(start_hub, model):
    """A hub with two loops whose default agent is the scripted model."""
    return start_hub(config=model.config())


@pytest.fixture
def streams(hub):
    """Opens event streams of `hub`."""
    opener = StreamOpener(hub)
    yield opener
    opener.close()
