// The client's half of the protocol hubbub.v1, without any DOM.
//
// How it works: `state` is what the hub has told us; every change of it is announced by an event that names what
// changed. A room is a log: each frame's first position follows the last one's. On a lost connection we join again with
// `after`, and the hub either replays what we missed or sends a snapshot that replaces all we hold.
//
// Invariant: a stream's text is only ever appended to; where an offset disagrees we ask for a snapshot instead.

const encoder = new TextEncoder();
const backoffMillisecondsMin = 400;
const backoffMillisecondsMax = 15000;
const historyRows = 20;

const byteLength = (text) => encoder.encode(text).length;

export const randomId = (prefix, bytes) =>
  prefix + Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (b) => b.toString(16).padStart(2, "0")).join("");

export const isLive = (exchange) => exchange.status === "waiting" || exchange.status === "streaming";

/** What a room's line in the list says of a conversation, or null. */
function lastMessageOf(exchanges) {
  const exchange = exchanges.findLast(({ messages, text }) => messages.length > 0 || text !== "");
  if (!exchange) return null;
  const answer = isLive(exchange) ? {} : { agent_response: exchange.text, agent_type: exchange.agent_type };
  return { user_input: exchange.messages.at(-1)?.text, ...answer };
}

export class HubbubClient extends EventTarget {
  #address;
  #socket = null;
  #attempts = 0;
  #reconnectTimer;
  #heartbeatTimer;
  #reconnectAfter = null;
  #heardAt = 0;
  #lastId = 0;
  #requests = new Map();

  constructor(address, userId) {
    super();
    this.#address = address;
    this.state = { connection: "connecting", userId, rooms: new Map(), isListed: false, room: null, pending: [] };
  }

  // ---- What the page asks for ----

  connect() {
    clearTimeout(this.#reconnectTimer);
    this.#setConnection("connecting");
    const socket = new WebSocket(this.#address, "hubbub.v1");
    this.#socket = socket;
    socket.onmessage = (event) => socket === this.#socket && this.#receive(JSON.parse(event.data));
    socket.onclose = (event) => socket === this.#socket && this.#closed(event.code);
  }

  /** Skips the rest of the back-off, because the network or the person came back. */
  reconnectNow() {
    if (this.state.connection === "offline") this.connect();
  }

  /** Makes a room the current one; its conversation follows in `joined`. */
  open(roomId) {
    const left = this.state.room;
    if (left?.room_id === roomId) return;
    if (left?.isJoined) this.#request("leave", { room_id: left.room_id }).catch(() => {});
    this.state.room = roomId ? this.#emptyRoom(roomId) : null;
    const listed = this.state.rooms.get(roomId);
    if (listed) listed.isUnread = false;
    this.#emit("rooms");
    this.#emit("room");
    if (roomId && this.state.connection === "online") this.#join();
  }

  /** With an exchange, its answer is made anew: the agent is told what was said before it. */
  send(text, regenerateOf) {
    const { room_id } = this.state.room;
    const entry = { message_id: randomId("msg_", 12), room_id, text, regenerate_of: regenerateOf, error: null };
    this.state.pending.push(entry);
    this.#emit("pending");
    this.#transmit(entry);
  }

  /** Sends a refused message once more; a refusal does not use up its key. */
  resend(entry) {
    entry.error = null;
    this.#emit("pending");
    this.#transmit(entry);
  }

  discard(entry) {
    this.state.pending = this.state.pending.filter((other) => other !== entry);
    this.#emit("pending");
  }

  /** Ends what runs and what waits in the current room, which the page shows as one conversation. */
  stop() {
    return this.#request("cancel", { room_id: this.state.room.room_id });
  }

  async loadEarlier() {
    const { room } = this.state;
    if (!room.nextBefore) return;
    const page = await this.#request("history", {
      room_id: room.room_id, before: room.nextBefore, limit: historyRows,
    });
    const earlier = page.exchanges.filter((exchange) => !room.byId.has(exchange.exchange_id));
    room.exchanges.unshift(...earlier.map((exchange) => this.#index(room, exchange)));
    room.nextBefore = page.next_before ?? null;
    this.#emit("earlier");
  }

  async createRoom(name) {
    const { room } = await this.#request("create-room", { room_name: name });
    this.#upsert(room);
    return room.room_id;
  }

  async renameRoom(roomId, name) {
    const { room } = await this.#request("update-room", { room_id: roomId, room_name: name });
    this.#upsert(room);
  }

  async deleteRoom(roomId) {
    await this.#request("delete-room", { room_id: roomId });
    this.#forget(roomId);
  }

  // ---- The connection ----

  #setConnection(connection) {
    this.state.connection = connection;
    this.#emit("connection");
  }

  #closed(code) {
    this.#socket = null;
    clearInterval(this.#heartbeatTimer);
    if (this.state.room) this.state.room.isJoined = false;
    for (const { reject } of this.#requests.values()) reject({ code: "DISCONNECTED", message: "Connection lost." });
    this.#requests.clear();
    if (code >= 4100 && code < 4300) return this.#setConnection("refused");

    const backoff = Math.min(backoffMillisecondsMax, backoffMillisecondsMin * 2 ** this.#attempts++);
    const delay = this.#reconnectAfter ?? backoff * (0.5 + Math.random() / 2);
    this.#reconnectAfter = null;
    this.#setConnection("offline");
    this.#reconnectTimer = setTimeout(() => this.connect(), delay);
  }

  /** A browser answers the hub's pings by itself; ours find out that the hub no longer answers. */
  #startHeartbeat(milliseconds) {
    clearInterval(this.#heartbeatTimer);
    this.#heartbeatTimer = setInterval(() => {
      if (Date.now() - this.#heardAt <= 2 * milliseconds) return this.#transmitFrame({ type: "ping" });
      this.#socket?.close();
      this.#closed(1006);
    }, milliseconds);
  }

  #transmitFrame(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #request(type, fields) {
    if (this.state.connection !== "online") {
      return Promise.reject({ code: "DISCONNECTED", message: "Not connected to the hub." });
    }
    const id = String(++this.#lastId);
    this.#transmitFrame({ type, id, ...fields });
    return new Promise((resolve, reject) => this.#requests.set(id, { resolve, reject }));
  }

  // ---- Frames ----

  #receive(frame) {
    this.#heardAt = Date.now();
    switch (frame.type) {
      case "welcome": return this.#welcomed(frame);
      case "ack": return this.#answer(frame, "resolve");
      case "error": return this.#failed(frame);
      case "joined": return this.#joined(frame);
      case "left": return this.#forget(frame.room_id, frame.reason);
      case "room-added":
      case "room-summary": return this.#summarized(frame);
      case "room-removed": return this.#forget(frame.room_id);
      case "draining":
        this.#reconnectAfter = frame.reconnect_after_ms;
        return;
    }
    if (frame.seq !== undefined && frame.room_id === this.state.room?.room_id) this.#log(frame);
  }

  #welcomed(frame) {
    this.#attempts = 0;
    this.state.userId = frame.user_id;
    this.#setConnection("online");
    this.#startHeartbeat(frame.heartbeat_seconds * 1000);
    if (this.state.room) this.#join();
    for (const entry of this.state.pending) if (!entry.error) this.#transmit(entry);
    this.#request("list-rooms", { limit: 200 }).then((answer) => this.#listed(answer.rooms), () => {});
  }

  #answer(frame, outcome) {
    const request = this.#requests.get(frame.id);
    this.#requests.delete(frame.id);
    request?.[outcome](frame);
    return request !== undefined;
  }

  #failed(frame) {
    const room = this.state.room;
    if (frame.for === "join" && room && (frame.room_id ?? room.room_id) === room.room_id) {
      this.#forget(room.room_id, frame.code === "NOT_FOUND" ? "not-found" : frame.message);
    } else if (!this.#answer(frame, "reject")) {
      this.#emit("problem", frame);
    }
  }

  // ---- The room list ----

  #listed(rooms) {
    const before = this.state.rooms;
    this.state.rooms = new Map();
    for (const room of rooms) {
      const { isUnread, last_message } = before.get(room.room_id) ?? {};
      this.#upsert({ ...room, isUnread, last_message: room.last_message ?? last_message }, true);
    }
    const current = this.state.room?.info;
    if (current && !this.state.rooms.has(current.room_id)) this.#upsert(current, true);
    this.state.isListed = true;
    this.#emit("rooms");
  }

  #upsert(room, isSilent = false) {
    const merged = { ...this.state.rooms.get(room.room_id), ...room };
    this.state.rooms.set(room.room_id, merged);
    if (this.state.room?.room_id === room.room_id) this.state.room.info = merged;
    if (!isSilent) this.#emit("rooms");
  }

  /** A room we have not joined is unread once a message came that is newer than what we knew. */
  #summarized({ type, room, ...summary }) {
    const known = this.state.rooms.get(summary.room_id);
    const isNewer = known !== undefined && summary.last_activity > known.last_activity;
    this.#upsert({ ...summary, ...room, isUnread: isNewer || Boolean(known?.isUnread) });
  }

  #forget(roomId, reason) {
    this.state.rooms.delete(roomId);
    this.state.pending = this.state.pending.filter((entry) => entry.room_id !== roomId);
    if (this.state.room?.room_id === roomId) {
      this.state.room = null;
      this.#emit("gone", { room_id: roomId, reason });
    }
    this.#emit("rooms");
  }

  // ---- The current room ----

  #emptyRoom(roomId) {
    return {
      room_id: roomId, info: this.state.rooms.get(roomId) ?? null, epoch: null, seq: 0, isJoined: false,
      exchanges: [], byId: new Map(), byStream: new Map(), nextBefore: null,
    };
  }

  #join() {
    const { room_id, epoch, seq } = this.state.room;
    this.#transmitFrame({ type: "join", id: String(++this.#lastId), room_id, ...(epoch && { after: { epoch, seq } }) });
  }

  /** What we hold cannot be trusted any more: asks for a snapshot and ignores the log until it is here. */
  #rejoin() {
    this.state.room.isJoined = false;
    this.state.room.epoch = null;
    this.#join();
  }

  #joined(frame) {
    const room = this.state.room;
    const roomId = frame.room_id ?? frame.room.room_id;
    if (room?.room_id !== roomId) return;
    if (!frame.recovered) {
      Object.assign(room, this.#emptyRoom(roomId), { epoch: frame.epoch, nextBefore: frame.next_before ?? null });
      const live = frame.streams.map(({ state, ...stream }) => ({ ...stream, status: state }));
      room.exchanges = [...frame.history, ...live].map((exchange) => this.#index(room, exchange));
      this.state.pending = this.state.pending.filter((entry) => entry.room_id !== roomId || !this.#isShown(entry));
      this.#upsert({ ...frame.room, last_message: frame.room.last_message ?? lastMessageOf(room.exchanges) });
    }
    room.seq = frame.seq;
    room.isJoined = true;
    this.#emit(frame.recovered ? "recovered" : "room");
  }

  #isShown(entry) {
    const isHere = (message) => message.message_id === entry.message_id;
    return entry.isSent || this.state.room.exchanges.some((exchange) => exchange.messages.some(isHere));
  }

  #index(room, exchange) {
    const whole = { messages: [], events: [], ...exchange, text: exchange.text ?? "" };
    whole.reasoning ??= "";
    whole.bytes = { text: byteLength(whole.text), reasoning: byteLength(whole.reasoning) };
    room.byId.set(whole.exchange_id, whole);
    if (whole.stream_id) room.byStream.set(whole.stream_id, whole);
    return whole;
  }

  #log(frame) {
    const room = this.state.room;
    if (!room.isJoined) return;
    if ((frame.first_seq ?? frame.seq) !== room.seq + 1) return this.#rejoin();
    room.seq = frame.seq;
    const exchange = room.byStream.get(frame.stream_id) ?? room.byId.get(frame.exchange_id);
    switch (frame.type) {
      case "message": return this.#said(room, exchange, frame);
      case "stream-started": return this.#started(room, exchange, frame);
      case "chunk": return this.#append({ kind: "text", ...frame });
      case "reasoning": return this.#append({ kind: "reasoning", ...frame });
      case "chunks": return frame.parts.every((part) => this.#append(part));
      case "tool-call":
      case "tool-result":
      case "action":
        exchange?.events.push(frame);
        return this.#emit("exchange", exchange);
      case "stream-ended": return this.#ended(exchange, frame);
      case "room-updated":
        return this.#upsert({ room_id: room.room_id, ...(frame.room ?? { room_name: frame.room_name }) });
      case "history-cleared": return this.#rejoin();
    }
  }

  #said(room, known, frame) {
    const exchange = known ?? this.#index(room, { exchange_id: frame.exchange_id, status: "waiting" });
    if (!known) room.exchanges.push(exchange);
    exchange.messages.push(frame);
    const own = this.state.pending.find((entry) => entry.message_id === frame.message_id);
    if (own) this.discard(own);
    this.#touch({ user_input: frame.text }, frame.timestamp);
    this.#emit("exchange", exchange);
  }

  #started(room, exchange, frame) {
    if (!exchange) return this.#rejoin();
    Object.assign(exchange, { stream_id: frame.stream_id, agent_type: frame.agent_type, status: "streaming" });
    room.byStream.set(frame.stream_id, exchange);
    this.#emit("exchange", exchange);
  }

  /** Returns whether the part fitted; if not, a snapshot is on its way. */
  #append({ stream_id, kind, offset, delta }) {
    const exchange = this.state.room.byStream.get(stream_id);
    if (exchange?.bytes[kind] !== offset) {
      this.#rejoin();
      return false;
    }
    exchange[kind] += delta;
    exchange.bytes[kind] += byteLength(delta);
    this.#emit("exchange", exchange);
    return true;
  }

  #ended(exchange, frame) {
    if (exchange?.bytes.text !== frame.length) return this.#rejoin();
    const { status, finish_reason, usage, error } = frame;
    Object.assign(exchange, { status, finish_reason, usage, error });
    this.#touch(lastMessageOf([exchange]));
    this.#emit("exchange", exchange);
  }

  /** The hub sends no summary of a room that we have joined, so its line in the list is ours to keep. */
  #touch(lastMessage, timestamp) {
    const { room_id } = this.state.room;
    const activity = timestamp && { last_activity: timestamp };
    if (this.state.rooms.has(room_id)) this.#upsert({ room_id, ...activity, last_message: lastMessage });
  }

  // ---- Sending ----

  async #transmit(entry) {
    try {
      const { room_id, text, message_id, regenerate_of } = entry;
      const answer = await this.#request("send", { room_id, text, message_id, regenerate_of });
      entry.isSent = true;
      if (answer.duplicate || this.state.room?.room_id !== room_id) this.discard(entry);
    } catch (error) {
      if (error.code === "DISCONNECTED" || error.code === "DRAINING") return; // `welcome` sends it again.
      entry.error = error.message ?? error.code;
      this.#emit("pending");
    }
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
