"""A newcomer's first minute: no configuration, no model, no key."""

import re


def test_a_hub_without_configuration_serves_a_page_and_an_agent_that_answers(start_hub, open_client, tmp_path):
    home = tmp_path / "home"
    hub = start_hub(loops=None, names_data=False, env={"HOME": str(home), "XDG_DATA_HOME": ""})
    assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d*", hub.url)
    assert (home / ".local/share/hubbub/hubbub.db").is_file()
    assert "open mode" in hub.stderr

    page = hub.http.get("/", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "<title>Hubbub</title>" in page.text

    client = open_client(hub, "newcomer")
    room = client.ask("create-room")["room"]
    assert room["room_name"] == "New conversation"
    client.join(room["room_id"])
    ack = client.ask("send", room_id=room["room_id"], text="What is Hubbub?", message_id="first")
    ended = client.wait("stream-ended", stream_id=ack["stream_id"])

    assert ended["status"] == "completed"
    text = client.texts[ack["stream_id"]]
    assert "Hubbub" in text
    chunks = [frame for frame in client.frames if frame["type"] in ("chunk", "chunks")]
    assert len(chunks) > 1, "the answer came in one piece"
    started = client.wait("stream-started", stream_id=ack["stream_id"])
    assert started["agent_type"] == "guide"
    assert hub.row(room["room_id"], ack["exchange_id"])["agent_response"] == text


def test_the_page_brings_everything_it_needs_and_asks_no_other_server(start_hub):
    hub = start_hub()
    page = hub.http.get("/", headers={"Accept": "text/html"}).text
    assets = re.findall(r'(?:href|src)="([^"#]+)"', page)
    assert assets
    for asset in assets:
        assert not asset.startswith(("http:", "https:", "//")), asset
        response = hub.http.get("/" + asset)
        assert response.status_code == 200, asset
        again = hub.http.get("/" + asset, headers={"If-None-Match": response.headers["etag"]})
        assert again.status_code == 304 and again.content == b""


def test_programs_get_json_at_the_root_and_health_at_its_places(start_hub):
    hub = start_hub()
    root = hub.http.get("/", headers={"Accept": "application/json"})
    assert root.json()["status"] == "active"
    assert root.headers["vary"] == "Accept"
    assert hub.http.get("/healthz").json() == {"status": "alive"}
    assert hub.http.get("/readyz").json() == {"status": "ready"}


def test_the_guide_answers_from_ones_own_folder(start_hub, open_client, tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "greenhouse.md").write_text("# Greenhouse\n\nThe zucchini are watered at dawn by the red valve.\n")
    hub = start_hub("--docs", docs)
    client = open_client(hub)
    room_id = hub.create_room()
    client.join(room_id)
    stream_id = client.ask("send", room_id=room_id, text="When are the zucchini watered?")["stream_id"]
    assert client.wait("stream-ended", stream_id=stream_id)["status"] == "completed"
    assert "red valve" in client.texts[stream_id]
