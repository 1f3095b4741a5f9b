"""The JSON Schemas and asyncapi.yaml against the catalogue, the golden frames and what a live hub says."""

import json
import re

import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from hub_process import REPOSITORY

PROTOCOL = REPOSITORY / "Protocol"
FRAMES = PROTOCOL / "frames"
SCHEMAS = {path.name: json.loads(path.read_text()) for path in (PROTOCOL / "schemas").glob("*.json")}
SHARED = {"definitions.json", "client-frame.json", "server-frame.json"}
SIDES = ("client", "server")


def closed(schema):
    """The schema, but what may carry unknown fields must not: so a field that no schema names is found."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("additionalProperties") is True:
        schema = {key: value for key, value in schema.items() if key != "additionalProperties"}
        schema["unevaluatedProperties"] = False
    return {key: closed(value) for key, value in schema.items()}


def validators(schemas):
    registry = Registry().with_resources(
        (name, DRAFT202012.create_resource(schema)) for name, schema in schemas.items())
    return {name: Draft202012Validator({"$ref": name}, registry=registry) for name in schemas}


OPEN = validators(SCHEMAS)
CLOSED = validators({name: closed(schema) for name, schema in SCHEMAS.items()})


def errors(validator, frame):
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(frame)]


def golden(pattern):
    return sorted(path.relative_to(FRAMES).as_posix() for path in FRAMES.glob(pattern))


def read(name):
    return json.loads((FRAMES / name).read_text())


def types_with_schema(side):
    names = (name for name in SCHEMAS if name not in SHARED and name.startswith(f"{side}-"))
    return {name.removeprefix(f"{side}-").removesuffix(".json") for name in names}


def check_sent(frame):
    """What the hub sends fits the frame's own schema, has no field that is not named, and is one frame of all."""
    assert errors(CLOSED[f"server-{frame['type']}.json"], frame) == [], frame
    assert OPEN["server-frame.json"].is_valid(frame), frame


# The files.


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_is_one_in_both_dialects(name):
    """AsyncAPI's tools read the schemas as draft-07, where what stands beside a `$ref` does not count."""
    Draft202012Validator.check_schema(SCHEMAS[name])
    Draft7Validator.check_schema(SCHEMAS[name])
    pending = [SCHEMAS[name]]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            assert "$ref" not in node or len(node) == 1, node
        pending += node.values() if isinstance(node, dict) else node if isinstance(node, list) else []


@pytest.mark.parametrize("side", SIDES)
def test_each_schema_is_of_the_type_in_its_name_and_in_the_entry_file(side):
    for type in types_with_schema(side):
        assert SCHEMAS[f"{side}-{type}.json"]["properties"]["type"] == {"const": type}
    entries = [entry["$ref"] for entry in SCHEMAS[f"{side}-frame.json"]["oneOf"]]
    assert sorted(entries) == sorted(f"{side}-{type}.json" for type in types_with_schema(side))


def names_in_readme():
    """The frame types in the catalogue's headings, tables and examples, by side."""
    sections = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", (PROTOCOL / "README.md").read_text(), re.M | re.S))

    def quoted(pattern, text):
        return {name for match in re.findall(pattern, text, re.M | re.S) for name in re.findall(r"`([a-z-]+)`", match)}

    def examples(text):
        return set(re.findall(r'^{"type": "([a-z-]+)"', text, re.M))

    client = sections["Client to hub"]
    answers = {"ack"}
    server = sections["Hub to client: a room's log"] + sections["Hub to client: outside the log"]
    tables = "".join(re.findall(r"^\| type \| .*?\n\n", server, re.M | re.S))
    not_yet = quoted(r"The hub does not yet send (.*?);", sections.get("What this version lacks", ""))
    return {
        "client": (quoted(r"^### ([^\n]*)", client) | examples(client)) - answers,
        "server": quoted(r"^\| (`[^|]*) \|", tables) | quoted(r"^### ([^\n]*`[^\n]*)", sections[
            "Hub to client: outside the log"]) | examples(server) | examples(sections["Connecting"]) | not_yet,
    }


@pytest.mark.parametrize("side", SIDES)
def test_the_catalogue_and_the_schemas_name_the_same_frames(side):
    assert names_in_readme()[side] == types_with_schema(side)


def test_the_catalogue_and_the_schemas_name_the_same_error_codes():
    section = (PROTOCOL / "README.md").read_text().split("## Error codes")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]*) \|", section, re.M)
    known = SCHEMAS["definitions.json"]["$defs"]["errorCode"]["anyOf"][0]["enum"]
    assert sorted(code for row in rows for code in re.findall(r"[A-Z_]+", row)) == sorted(known)


# The golden frames.


@pytest.mark.parametrize("name", golden("valid/*.json"))
def test_a_golden_frame_fits_its_schema_and_no_other(name):
    frame = read(name)
    side = name.removeprefix("valid/").partition("-")[0]
    fitting = [type for type in types_with_schema(side) if OPEN[f"{side}-{type}.json"].is_valid(frame)]
    assert fitting == [frame["type"]], errors(OPEN[f"{side}-{frame['type']}.json"], frame)
    assert OPEN[f"{side}-frame.json"].is_valid(frame)


@pytest.mark.parametrize("name", golden("valid/*.json"))
def test_a_golden_frame_has_no_field_that_its_schema_does_not_name(name):
    frame = read(name)
    side = name.removeprefix("valid/").partition("-")[0]
    found = errors(CLOSED[f"{side}-{frame['type']}.json"], frame)
    assert ("colour" in str(found)) if name == "valid/client-send-unknown-field.json" else found == []


@pytest.mark.parametrize("name", sorted(
    name for name, answer in json.loads((FRAMES / "expected.json").read_text()).items()
    if answer["code"] != "INVALID_JSON"))
def test_a_golden_invalid_frame_fits_no_schema(name):
    """Also where the answer is NOT_FOUND: what cannot be an identifier names nothing."""
    assert not OPEN["client-frame.json"].is_valid(read(f"invalid/{name}"))


# A live hub.


def test_a_hub_knows_the_frames_that_have_a_schema(start_hub, open_client):
    message = open_client(start_hub("--synthetic")).refusal("shout")["message"]
    assert set(re.findall(r"[a-z]+(?:-[a-z]+)*", message.partition(":")[2])) == types_with_schema("client")


@pytest.mark.parametrize("fields, code", [
    ({"text": "ü" * 20_000}, "MESSAGE_TOO_LARGE"),
    ({"text": "Hello", "metadata": {"key": "a" * 10_240}}, "VALIDATION_ERROR"),
    ({"rooms": [{"room_id": "room_1"}, {"room_id": "room_1", "after": {"epoch": "9f2c", "seq": 1}}]},
     "VALIDATION_ERROR"),
], ids=["bytes of a text", "bytes of compact JSON", "a room twice with different places"])
def test_what_a_schema_cannot_express_is_left_to_the_hub(hub, open_client, fields, code):
    type = "send" if "text" in fields else "join"
    if type == "send":
        fields = {"room_id": hub.create_room()} | fields
    assert OPEN["client-frame.json"].is_valid({"type": type} | fields)
    assert open_client(hub).refusal(type, **fields)["code"] == code


def test_what_a_live_hub_sends_fits_the_schemas(hub, open_client, model):
    client, watcher, onlooker = open_client(hub), open_client(hub), open_client(hub)
    room_id = client.ask("create-room", room_name="Kidney", metadata={"tags": ["kidney"]})["room"]["room_id"]
    client.join(room_id)

    first = client.ask("send", room_id=room_id, text="What is new?", message_id="m-1", metadata={"device": "phone"})
    call = model.next_call()
    call.delta(reasoning_content="Hm.")
    call.say("Grüße.")
    call.delta(tool_calls=[{"index": 0, "id": "c1", "type": "function",
                            "function": {"name": "search", "arguments": '{"query": "dialysis"}'}}])
    client.wait_text(first["stream_id"], 1)
    watcher.join(room_id)
    second = client.ask("send", room_id=room_id, text="And then?")
    assert second["queued"] is True
    call.finish("tool_calls", {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15})
    client.wait("stream-ended", stream_id=first["stream_id"], status="completed")
    client.ask("send", room_id=room_id, text="What is new?", message_id="m-1")

    call = model.next_call()
    call.say("Once upon a time")
    client.wait_text(second["stream_id"], 1)
    client.ask("cancel", stream_id=second["stream_id"])
    client.wait("stream-ended", stream_id=second["stream_id"], status="cancelled")
    client.ask("cancel", stream_id=second["stream_id"])

    third = client.ask("send", room_id=room_id, text="Is it broken?")
    model.next_call().respond(400, {"error": {"message": "no model for you"}})
    client.wait("stream-ended", stream_id=third["stream_id"], status="failed")

    client.ask("history", room_id=room_id, limit=2)
    client.ask("list-rooms")
    client.ask("set-member", room_id=room_id, user_id="ben", role="viewer")
    client.ask("get-room", room_id=room_id)
    client.ask("remove-member", room_id=room_id, user_id="ben")
    client.ask("update-room", room_id=room_id, room_name="Dialysis")
    client.join(room_id)
    watcher.ask("leave", room_id=room_id)
    watcher.join(room_id, after=watcher.position(room_id))
    client.refusal("join", room_id="room_none")
    client.ask("clear-history", room_id=room_id)

    session_id = client.ask("open-session", room_id=room_id)["session"]["session_id"]
    running = client.ask("send", room_id=room_id, text="A long story", session_id=session_id)
    model.next_call().say("Once")
    client.wait_text(running["stream_id"], 1)
    client.join(room_id)
    client.ask("reset", session_id=session_id)
    client.ask("close-session", session_id=session_id)
    client.wait("stream-ended", stream_id=running["stream_id"])

    client.ask("delete-room", room_id=room_id)
    for reader in (client, watcher):
        reader.wait("left", room_id=room_id)
        reader.catch_up()
    for type in ("room-added", "room-summary", "room-removed"):
        onlooker.wait(type, room_id=room_id)

    sent = client.frames + watcher.frames + onlooker.frames
    for frame in sent:
        check_sent(frame)
    assert {frame["type"] for frame in sent} >= {
        "welcome", "ack", "error", "pong", "joined", "left", "message", "stream-started", "chunk", "reasoning",
        "tool-call", "stream-ended", "reset", "history-cleared", "room-updated", "room-deleted", "room-added",
        "room-removed", "room-summary", "member-joined", "member-left"}


# AsyncAPI.


def test_asyncapi_has_each_frame_once_with_its_schema_and_all_its_references_resolve():
    document = yaml.safe_load((PROTOCOL / "asyncapi.yaml").read_text())

    def resolve(reference):
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        return node

    pending, files = [document], []
    while pending:
        node = pending.pop()
        if isinstance(node, dict) and "$ref" in node:
            reference = node["$ref"]
            files += [reference.removeprefix("./schemas/")] if not reference.startswith("#/") else []
            assert reference.startswith("./schemas/") or resolve(reference)
        pending += node.values() if isinstance(node, dict) else node if isinstance(node, list) else []

    assert sorted(files) == sorted(SCHEMAS.keys() - SHARED)
    messages = document["components"]["messages"]
    for key, message in messages.items():
        assert message["payload"]["$ref"] == f"./schemas/{key}.json" and key.partition("-")[2] == message["name"]
    assert document["channels"]["socket"]["messages"].keys() == messages.keys()
    actions = {"client": "receive", "server": "send"}
    operations = {
        f"{actions[side]}-{type}": [{"$ref": f"#/channels/socket/messages/{side}-{type}"}]
        for side in SIDES for type in types_with_schema(side)}
    assert {name: operation["messages"] for name, operation in document["operations"].items()} == operations
    assert all(operation["action"] == name.partition("-")[0] for name, operation in document["operations"].items())


def test_openapi_requires_a_user_exactly_where_the_hub_does(start_hub):
    document = yaml.safe_load((PROTOCOL / "openapi.yaml").read_text())

    def resolved(value):
        while "$ref" in value:
            value = reduce_path(document, value["$ref"])
        return value

    hub = start_hub()
    session = hub.open_session("ann")
    count = 0
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method == "parameters" or not path.startswith("/api/") or path == "/api/health":
                continue
            count += 1
            parameters = [resolved(one) for one in operation.get("parameters", []) + item.get("parameters", [])]
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            schema, body = resolved(content.get("schema", {})), content.get("example")
            in_query = any(one["name"] == "user_id" and one["in"] == "query" and one.get("required")
                           for one in parameters)
            # Chat names its user by the session, and a history needs any one of its filters.
            if path.startswith("/api/chat/") and path != "/api/chat/rooms":
                assert not in_query and "user_id" not in schema.get("required", []), (method, path)
                continue
            address = path.format(room_id=session["room_id"], session_id=session["session_id"], user_id="ben")
            body = {name: value for name, value in body.items() if name != "user_id"} if body else None
            answer = hub.http.request(method, address, json=body)
            is_required = in_query or "user_id" in schema.get("required", [])
            wants_user = answer.status_code == 400 and "`user_id`" in answer.text
            assert wants_user == is_required, (method, path, answer.text)
    assert count > 15


def reduce_path(document, reference):
    for name in reference.removeprefix("#/").split("/"):
        document = document[name]
    return document
