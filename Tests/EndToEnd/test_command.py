"""The command as one types it: what it prints where, and its exit codes."""

import re
import sqlite3

import pytest

from hub_process import run_command


def test_version_and_help_go_to_standard_output():
    done = run_command("version")
    assert done.returncode == 0 and re.fullmatch(r"hubbub \d+\.\d+\.\d+\n", done.stdout) and done.stderr == ""
    for arguments in ((), ("help",), ("--help",), ("help", "serve"), ("serve", "--help"), ("help", "migrate"),
                      ("backup", "--help"), ("check", "--help")):
        done = run_command(*arguments)
        assert done.returncode == 0 and "Usage: hubbub" in done.stdout and done.stderr == "", arguments
    options = run_command("help", "serve").stdout
    for option in ("--host", "--port", "--data", "--loops", "--config", "--docs", "--diagnostics", "--synthetic",
                   "--allow-open"):
        assert option in options


WRONG = [
    (["sevre"], "sevre: unknown; did you mean serve?"),
    (["serve", "--prot", "80"], "--prot: unknown; did you mean --port?"),
    (["serve", "--port"], "--port: needs a value"),
    (["serve", "--port", "http"], '--port: "http" is not a number from 0 to 65535'),
    (["serve", "--port", "65536"], '--port: "65536" is not a number from 0 to 65535'),
    (["serve", "--loops", "0"], '--loops: "0" is not a number from 1 to 256'),
    (["serve", "now"], "now: unexpected argument"),
    (["serve", "--host", "nowhere"], "--host: must be an IPv4 or IPv6 address, or localhost"),
    (["serve", "--default-agent", "nobody"], '--default-agent: no agent is called "nobody"; there are: guide'),
    (["migrate", "down"], "migrate down: needs a value"),
    (["backup"], "backup: needs a value"),
    (["version", "now"], "now: unexpected argument"),
]


@pytest.mark.parametrize("arguments, sentence", WRONG)
def test_a_wrong_word_is_named_with_what_was_perhaps_meant(arguments, sentence, tmp_path):
    done = run_command(*arguments, env={"HOME": str(tmp_path)})
    assert done.returncode == 2 and done.stdout == ""
    assert f"hubbub: {sentence}\n" in done.stderr


FILES = [
    ("{", "{path}: line 1: not valid JSON (it ends too early)"),
    ('{\n  "port": 80,\n}', "{path}: line 3: not valid JSON (unexpected character)"),
    ("[]", "{path}: must be a JSON object"),
    ('{"prot": 80}', "{path}: prot: unknown; did you mean port?"),
    ('{"port": "80"}', "{path}: port: must be a number"),
    ('{"limits": {"rooms_per_usr": 5}}', "{path}: limits.rooms_per_usr: unknown; did you mean rooms_per_user?"),
    ('{"limits": {"drain_seconds": -1}}', "{path}: limits.drain_seconds: must be a whole number from 0 to 86400"),
    ('{"agents": [{"agent_type": "a"}]}', "{path}: agents[0].connector: is missing"),
    ('{"agents": [{"agent_type": "a", "connector": "magic"}]}',
     '{path}: agents[0].connector: "magic" is not one of guide, openai'),
    ('{"agents": [{"agent_type": "a", "connector": "openai", "model": "m"}]}',
     "{path}: agents[0].base_url: is missing"),
    ('{"agents": [{"agent_type": "a", "connector": "openai", "model": "m", "base_url": "http://a/v1", '
     '"api_key_env": "NO_SUCH_KEY"}]}',
     "{path}: agents[0].api_key_env: the environment variable NO_SUCH_KEY is not set"),
    ('{"default_agent": "nobody"}', '{path}: default_agent: no agent is called "nobody"; there are: guide'),
    ('{"host": "0.0.0.0"}', "{path}: host: 0.0.0.0 can be reached from other machines"),
]


@pytest.mark.parametrize("text, sentence", FILES, ids=range(len(FILES)))
def test_a_fault_in_the_file_is_told_with_its_place(text, sentence, tmp_path):
    path = tmp_path / "hubbub.json"
    path.write_text(text)
    done = run_command("serve", "--port", "0", "--data", tmp_path / "data", "--config", path)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("hubbub: " + sentence.replace("{path}", str(path))), done.stderr
    assert done.stderr.count("\n") == 1


def test_files_and_directories_that_cannot_be_used_are_told(tmp_path):
    done = run_command("serve", "--config", tmp_path / "none.json", "--data", tmp_path)
    assert done.returncode == 1 and f"hubbub: {tmp_path}/none.json: cannot be read: No such file" in done.stderr
    (tmp_path / "file").write_text("")
    done = run_command("serve", "--port", "0", "--data", tmp_path / "file" / "data")
    assert done.returncode == 1 and str(tmp_path / "file") in done.stderr
    done = run_command("serve", "--port", "0", "--data", tmp_path / "data", "--docs", tmp_path / "none")
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"hubbub: The guide cannot read the folder {tmp_path}/none: No such file or directory. Name a"), done.stderr
    assert "open mode" not in done.stderr, "nothing is open"


def test_a_variables_fault_names_the_variable(tmp_path):
    done = run_command("serve", "--data", tmp_path, env={"HUBBUB_PORT": "many"})
    assert done.returncode == 1
    assert done.stderr.startswith('hubbub: HUBBUB_PORT: "many" is not a number from 0 to 65535')


def test_flags_win_over_variables_and_variables_over_the_file(start_hub, open_client):
    config = {"port": 1, "loops": 300, "limits": {"heartbeat_seconds": 17}}
    with pytest.raises(AssertionError, match="loops"):
        start_hub(config=config, loops=None)
    hub = start_hub(config=config | {"loops": 256}, loops=None, env={"HUBBUB_PORT": "2", "HUBBUB_LOOPS": "1"})
    assert hub.port not in (1, 2)
    welcome = open_client(hub).welcome
    assert welcome["heartbeat_seconds"] == 17


def test_a_misspelt_variable_is_named_and_others_are_too(start_hub, tmp_path):
    hub = start_hub(env={"HUBBUB_LOG_LEVL": "debug", "HUBBUB_BINARY": "x"})
    assert "hubbub: HUBBUB_BINARY: no such setting, so it is ignored\n" in hub.stderr
    assert "HUBBUB_LOG_LEVL: no such setting, so it is ignored; did you mean HUBBUB_LOG_LEVEL?\n" in hub.stderr
    done = run_command("migrate", "status", "--data", tmp_path, env={"HUBBUB_DTA": "x"})
    assert done.returncode == 0 and "did you mean HUBBUB_DATA?" in done.stderr


def test_an_empty_file_is_no_sound_database(tmp_path):
    empty = tmp_path / "empty.db"
    empty.write_bytes(b"")
    done = run_command("check", empty)
    assert done.returncode == 3 and done.stdout == "", done
    assert f"{empty} is not a readable hubbub database" in done.stderr


def test_the_log_begins_with_what_runs(start_hub):
    program = {"agent_type": "tool", "connector": "command", "command": ["no-such-program", "secret argument"]}
    hub = start_hub(config={"agents": [program], "limits": {"drain_seconds": 3}})
    [started] = [line for line in hub.stderr.splitlines() if " info started " in line]
    for part in ('version="', f'url="{hub.url}"', f'data="{hub.data}"', 'agents="guide (guide), tool (command)"',
                 'limits="drain_seconds=3"', 'loops="2"'):
        assert part in started, started
    assert 'warning an agent\'s program is missing agent_type="tool" reason="no folder of PATH has' in hub.stderr
    assert "secret argument" not in hub.stderr
    hub.stop()
    assert " info draining streams=" in hub.stderr and " info stopped after_milliseconds=" in hub.stderr


def test_a_port_that_is_taken_is_told(start_hub, tmp_path):
    hub = start_hub()
    done = run_command("serve", "--port", hub.port, "--data", tmp_path / "other")
    assert done.returncode == 1 and done.stdout == "" and "open mode" not in done.stderr
    assert str(hub.port) in done.stderr and "in use" in done.stderr.lower(), done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_host_beyond_loopback_needs_consent(start_hub, tmp_path, host):
    done = run_command("serve", "--port", "0", "--data", tmp_path / "data", "--host", host)
    assert done.returncode != 0 and done.stdout == ""
    assert f"{host} can be reached from other machines" in done.stderr and "--allow-open" in done.stderr


def test_with_consent_the_hub_is_open_and_says_so_loudly(start_hub):
    hub = start_hub("--host", "0.0.0.0", "--allow-open")
    assert "OPEN TO THE NETWORK" in hub.stderr
    assert hub.http.get("/healthz").status_code == 200


def test_ipv6_loopback_needs_none(start_hub):
    hub = start_hub("--host", "::1")
    assert hub.url.startswith("http://[::1]:")
    assert hub.http.get("/healthz").status_code == 200


def test_migrations_go_up_and_down_and_keep_the_data(start_hub, tmp_path):
    def migrate(*arguments):
        return run_command("migrate", *arguments, "--data", tmp_path / "data")

    status = migrate("status")
    [newest] = re.fullmatch(r"schema version 0 of (\d+)\n", status.stdout).groups()
    assert migrate("up").returncode == 0
    assert migrate("status").stdout == f"schema version {newest} of {newest}\n"
    hub = start_hub(data=tmp_path / "data")
    room_id = hub.create_room()
    refused = migrate("down", "0")
    assert refused.returncode == 1 and str(tmp_path / "data") in refused.stderr, "the hub is running"
    hub.stop()

    assert migrate("up").returncode == 0
    hub = start_hub(data=tmp_path / "data")
    assert hub.http.get(f"/api/rooms/{room_id}").status_code == 200
    hub.stop()
    assert migrate("down", "0").returncode == 0
    assert migrate("status").stdout == f"schema version 0 of {newest}\n"
    beyond = migrate("down", str(int(newest) + 1))
    assert beyond.returncode == 1 and beyond.stderr.startswith("hubbub: ")
    assert start_hub(data=tmp_path / "data").http.get(f"/api/rooms/{room_id}").status_code == 404


def test_a_database_of_a_newer_hub_is_left_alone(start_hub, tmp_path):
    hub = start_hub()
    hub.stop()
    database = hub.data / "hubbub.db"
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA user_version = 9999")
    connection.close()
    done = run_command("serve", "--port", "0", "--data", hub.data)
    assert done.returncode == 1 and "9999" in done.stderr, done.stderr


def test_the_log_has_its_form_and_holds_no_text(start_hub, open_client, model):
    hub = start_hub("--log-level", "debug", config=model.config())
    room_id = hub.create_room()
    client = open_client(hub)
    client.join(room_id)
    ack = client.ask("send", room_id=room_id, text="a most secret question")
    call = model.next_call()
    call.say("a most secret answer")
    call.finish()
    client.wait("stream-ended", stream_id=ack["stream_id"])
    client.close()
    hub.stop()
    assert "most secret" not in hub.stderr
    lines = [line for line in hub.stderr.splitlines() if not line.startswith("hubbub: ")]
    form = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warning|error) .*')
    assert lines and all(form.fullmatch(line) for line in lines), lines


def test_failed_agents_and_limits_that_are_hit_are_in_the_log(start_hub, open_client, model):
    hub = start_hub(config=model.config(limits={"streams_per_user": 1}))
    client = open_client(hub)
    rooms = [hub.create_room() for _ in range(2)]
    client.join(rooms[0])
    ack = client.ask("send", room_id=rooms[0], text="a most secret question")
    for _ in range(5):
        assert client.refusal("send", room_id=rooms[1], text="another")["code"] == "STREAM_LIMIT_EXCEEDED"
    assert hub.stderr.count("limit hit") == 1 and 'limit hit code="STREAM_LIMIT_EXCEEDED" times="1"' in hub.stderr
    model.next_call().respond(400, {"error": {"message": "no"}})
    client.wait("stream-ended", stream_id=ack["stream_id"])
    [line] = [line for line in hub.stderr.splitlines() if "agent failed" in line]
    for part in (f'stream_id="{ack["stream_id"]}"', 'code="AGENT_FAILED"', "answered 400"):
        assert part in line, line
    assert "most secret" not in hub.stderr
