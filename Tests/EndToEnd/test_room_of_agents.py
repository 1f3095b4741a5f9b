"""Three agents and two people in one room: each agent knows its own conversation, and only that."""

import pytest

from model_server import ModelServer

AGENTS = ["cook", "doctor", "lawyer"]


@pytest.fixture
def servers():
    servers = {agent_type: ModelServer() for agent_type in AGENTS}
    yield servers
    for server in servers.values():
        server.close()


@pytest.fixture
def config(servers):
    agents = [
        server.agent(agent_type, system_prompt=f"You are the {agent_type} of {{{{room_name}}}}.")
        for agent_type, server in servers.items()]
    return {"agents": agents, "default_agent": "cook", "limits": {"drain_seconds": 0}}


class Table:
    """Ann and Ben, each with a socket in the room, and the agents' servers."""

    def __init__(self, hub, servers, open_client, room_id):
        self.servers = servers
        self.room_id = room_id
        self.people = {user: open_client(hub, user) for user in ("ann", "ben")}
        for client in self.people.values():
            client.join(room_id)

    def ask(self, user, agent_type, question, **fields):
        """Asks, answers for the agent, and returns what it was told before and with the question."""
        client = self.people[user]
        ack = client.ask("send", room_id=self.room_id, text=question, agent_type=agent_type, **fields)
        call = self.servers[agent_type].next_call()
        call.say(f"{agent_type} to {question}")
        call.finish()
        for other in self.people.values():
            started = other.wait("stream-started", stream_id=ack["stream_id"])
            assert started["agent_type"] == agent_type and started["session_id"]
            assert other.wait("stream-ended", stream_id=ack["stream_id"])["status"] == "completed"
            assert other.texts[ack["stream_id"]] == f"{agent_type} to {question}"
        assert not any(server.has_calls for server in self.servers.values()), "nobody else was asked"
        system, *told = call.body["messages"]
        assert system == {"role": "system", "content": f"You are the {agent_type} of Kitchen."}
        roles = [message["role"] for message in told]
        assert roles == ["user", "assistant"] * (len(told) // 2) + ["user"]
        return [message["content"] for message in told]


def said(agent_type, *questions):
    """A conversation as its agent remembers it."""
    return [text for question in questions for text in (question, f"{agent_type} to {question}")]


@pytest.fixture
def start(start_hub, config, servers, open_client):
    def start(**options):
        hub = start_hub(config=config, **options)
        return hub, lambda room_id: Table(hub, servers, open_client, room_id)
    return start


def test_each_agent_has_its_own_context_and_a_reset_is_of_one(start):
    hub, table_of = start()
    room_id = hub.create_room(name="Kitchen")
    table = table_of(room_id)
    for agent_type in AGENTS:
        assert table.ask("ann", agent_type, f"a1 {agent_type}") == [f"a1 {agent_type}"]
    for agent_type in reversed(AGENTS):
        assert table.ask("ben", agent_type, f"b1 {agent_type}") == [
            *said(agent_type, f"a1 {agent_type}"), f"b1 {agent_type}"]

    session_id = table.people["ann"].wait("stream-started")["session_id"]
    reset = table.people["ann"].ask("reset", session_id=session_id, agent_type="doctor")
    assert (reset["reset_scope"], reset["conversations_cleared"]) == ("doctor", 2)
    for client in table.people.values():
        assert client.wait("reset", room_id=room_id)["reset_scope"] == "doctor"
    assert table.ask("ben", "doctor", "b2") == ["b2"]
    for agent_type in ("cook", "lawyer"):
        assert table.ask("ann", agent_type, "a2") == [
            *said(agent_type, f"a1 {agent_type}", f"b1 {agent_type}"), "a2"]

    # What they know, they know from the disk.
    assert hub.stop() == 0
    hub, table_of = start(data=hub.data)
    table = table_of(room_id)
    assert table.ask("ben", "doctor", "b3") == [*said("doctor", "b2"), "b3"]
    for agent_type in ("cook", "lawyer"):
        assert table.ask("ben", agent_type, "b3") == [
            *said(agent_type, f"a1 {agent_type}", f"b1 {agent_type}", "a2"), "b3"]
    assert len(hub.history(room_id)) == 12, "history is not context"


def test_two_people_talk_to_two_agents_at_the_same_time(start, servers):
    hub, table_of = start()
    room_id = hub.create_room(name="Kitchen")
    table = table_of(room_id)
    sessions = {user: client.ask("open-session", room_id=room_id)["session"] for user, client in table.people.items()}
    acks, calls = {}, {}
    for user, agent_type in (("ann", "cook"), ("ben", "lawyer")):
        acks[user] = table.people[user].ask(
            "send", room_id=room_id, session_id=sessions[user]["session_id"], text=f"Hi from {user}",
            agent_type=agent_type)
        calls[user] = servers[agent_type].next_call()
    for word in ("one ", "two ", "three "):
        for user in ("ann", "ben"):
            calls[user].say(f"{word}for {user} ")
    for call in calls.values():
        call.finish()
    for client in table.people.values():
        for user in ("ann", "ben"):
            client.wait("stream-ended", stream_id=acks[user]["stream_id"])
            assert client.texts[acks[user]["stream_id"]] == "".join(
                f"{word} for {user} " for word in ("one", "two", "three"))

    # The same agent in two sessions is two conversations; a reset of one is not of the other.
    for user in ("ann", "ben"):
        assert table.ask(user, "doctor", "1", session_id=sessions[user]["session_id"]) == ["1"]
    table.people["ann"].ask("reset", session_id=sessions["ann"]["session_id"])
    assert table.ask("ann", "doctor", "2", session_id=sessions["ann"]["session_id"]) == ["2"]
    assert table.ask("ann", "cook", "2", session_id=sessions["ann"]["session_id"]) == ["2"]
    assert table.ask("ben", "doctor", "2", session_id=sessions["ben"]["session_id"]) == [*said("doctor", "1"), "2"]


def test_waiting_turns_of_three_agents_keep_their_order(start, servers):
    """One session, one stream at a time: a message for another agent is a turn of its own."""
    hub, table_of = start()
    table = table_of(hub.create_room(name="Kitchen"))
    ann = table.people["ann"]
    acks = [ann.ask("send", room_id=table.room_id, text=f"{number} {agent_type}", agent_type=agent_type)
            for number, agent_type in enumerate([*AGENTS, "lawyer"])]
    assert len({ack["stream_id"] for ack in acks}) == 3
    questions = ["0 cook", "1 doctor", "2 lawyer\n3 lawyer"]
    for number, (agent_type, question) in enumerate(zip(AGENTS, questions)):
        call = servers[agent_type].next_call()
        assert [message["content"] for message in call.body["messages"][1:]] == [question]
        assert not any(server.has_calls for server in servers.values())
        call.say("Yes")
        call.finish()
        assert ann.wait("stream-ended", stream_id=acks[number]["stream_id"])["status"] == "completed"


def test_an_agent_remembers_twenty_messages_whether_from_memory_or_from_the_disk(start, servers):
    hub, table_of = start()
    room_id = hub.create_room(name="Kitchen")
    table = table_of(room_id)
    for number in range(10):
        table.ask("ann", "cook", str(number))
    assert table.ask("ben", "cook", "10") == [*said("cook", *map(str, range(10))), "10"]
    assert table.ask("ben", "cook", "11") == [*said("cook", *map(str, range(1, 11))), "11"]
    assert hub.stop() == 0
    hub, table_of = start(data=hub.data)
    table = table_of(room_id)
    assert table.ask("ann", "cook", "12") == [*said("cook", *map(str, range(2, 12))), "12"]
