// The page: what the client knows, drawn. Frames only mark what changed; drawing happens once per animation frame, and
// each time only as much as its budget allows: what is left of a long text follows in the next frames.

import { HubbubClient, isLive, randomId } from "./client.js";
import { Budget, TextView } from "./textview.js";

const $ = (id) => document.getElementById(id);
const stickDistance = 80;
const toastMilliseconds = 6000;
const drawMillisecondsMax = 200;
const welcomeName = "Welcome";

const client = new HubbubClient(socketAddress(), storedUser());
const { state } = client;
window.hubbub = { state, get isDrawn() { return drawTimer === null && dirty.size === 0 && left.length === 0; } };

const views = new Map(); // exchange_id to what is drawn of it
const dirty = new Set();
const left = []; // What is still to be taken away of rooms that were left.
let isStuck = true;
let lastScrollTop = 0;
let drawTimer = null;
let listNeedsDrawing = false;

function storedUser() {
  const stored = localStorage.getItem("hubbub-user");
  if (stored) return stored;
  const user = randomId("guest_", 3);
  localStorage.setItem("hubbub-user", user);
  return user;
}

function socketAddress() {
  const address = new URL("ws", location.href.split(/[?#]/)[0]);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  address.searchParams.set("user_id", storedUser());
  return address;
}

function fromTemplate(id) {
  return $(id).content.firstElementChild.cloneNode(true);
}

// ---- Drawing ----

/** A covered or hidden window gets no animation frames; the timer keeps it from falling behind for long. */
function schedule() {
  if (drawTimer !== null) return;
  drawTimer = setTimeout(draw, drawMillisecondsMax);
  requestAnimationFrame(draw);
}

function draw() {
  if (drawTimer === null) return;
  clearTimeout(drawTimer);
  drawTimer = null;
  if (listNeedsDrawing) drawRooms();
  listNeedsDrawing = false;
  const place = isStuck ? null : placeOfReading();
  const budget = new Budget();
  drawExchanges(budget);
  takeAway(budget);
  if (dirty.size > 0 || left.length > 0) schedule();
  drawControls();
  if (isStuck) scrollToEnd();
  else if (place?.element.isConnected) $("scroller").scrollTop += topOf(place.element) - place.top;
  $("latest").hidden = isStuck || !state.room;
}

/** The newest first: they are what a person looks at. */
function drawExchanges(budget) {
  for (const exchange of [...dirty].reverse()) {
    if (budget.isSpent) break;
    if (drawExchange(exchange, budget)) dirty.delete(exchange);
  }
}

const topOf = (element) => element.getBoundingClientRect().top;
const scrollToEnd = () => $("scroller").scrollTo(0, $("scroller").scrollHeight);

/** The first exchange on the screen and where it stands: it stays there whatever is drawn above it. */
function placeOfReading() {
  const top = topOf($("scroller"));
  const element = [...$("exchanges").children].find((each) => each.getBoundingClientRect().bottom > top);
  return element && { element, top: topOf(element) };
}

function drawWholeRoom() {
  views.clear();
  dirty.clear();
  leaveConversation();
  $("earlier").hidden = true;
  for (const exchange of state.room?.exchanges ?? []) dirty.add(exchange);
  drawPending();
  isStuck = true;
  schedule();
}

/** Hides the conversation and puts an empty one in its place; long texts are too much to remove in one task. */
function leaveConversation() {
  const conversation = $("exchanges");
  conversation.after(conversation.cloneNode(false));
  conversation.removeAttribute("id");
  conversation.hidden = true;
  left.push({ conversation, parts: [...conversation.querySelectorAll(".part")] });
  takeAway(new Budget());
}

function takeAway(budget) {
  while (left.length > 0) {
    const { conversation, parts } = left[0];
    while (parts.length > 0 && !budget.isSpent) parts.pop().remove();
    if (parts.length > 0) return;
    conversation.remove();
    left.shift();
  }
}

function drawControls() {
  const { room } = state;
  const isEmpty = room?.isJoined && room.exchanges.length === 0 && $("pending").childElementCount === 0;
  const name = room?.info?.room_name ?? "Hubbub";
  $("room-name").textContent = name;
  document.title = name === "Hubbub" ? name : `${name} · Hubbub`;
  $("room-actions").hidden = !room?.info;
  if (room?.nextBefore) $("earlier").hidden = false;
  else if (dirty.size === 0) $("earlier").hidden = true; // Not before what it loaded: what is read would jump.
  $("greeting").hidden = !isEmpty;
  $("stop").hidden = !room?.exchanges.some(isLive);
  $("send").disabled = !room || $("composer-text").value.trim() === "";
}

function drawRooms() {
  const rooms = [...state.rooms.values()].sort((a, b) => (b.last_activity ?? "").localeCompare(a.last_activity ?? ""));
  $("rooms").replaceChildren(...rooms.map((room) => {
    const item = fromTemplate("room-template");
    const link = item.querySelector("a");
    link.href = `#${room.room_id}`;
    if (room.room_id === state.room?.room_id) link.setAttribute("aria-current", "page");
    item.querySelector(".name").textContent = room.room_name;
    item.querySelector(".preview").textContent = preview(room.last_message);
    item.querySelector("time").textContent = shortTime(room.last_activity);
    item.querySelector("time").dateTime = room.last_activity ?? "";
    const unread = item.querySelector(".unread");
    unread.hidden = !room.isUnread;
    unread.append(Object.assign(document.createElement("span"), { className: "unseen", textContent: "unread" }));
    return item;
  }));
}

function preview(lastMessage) {
  const text = lastMessage?.agent_response || lastMessage?.user_input || "No messages yet";
  return text.slice(0, 160).replace(/[#*`>_]+/g, "").replace(/\s+/g, " ").trim();
}

function shortTime(timestamp) {
  if (!timestamp) return "";
  const time = new Date(timestamp);
  const isToday = time.toDateString() === new Date().toDateString();
  const format = isToday ? { hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short" };
  return time.toLocaleString(undefined, format);
}

function viewOf(exchange) {
  const known = views.get(exchange.exchange_id);
  if (known) return known;
  const element = Object.assign(document.createElement("div"), { className: "exchange" });
  element.dataset.exchange = exchange.exchange_id;
  const answer = fromTemplate("answer-template");
  element.append(answer);
  const part = (name) => answer.querySelector(`.${name}`);
  const view = {
    element, answer, author: part("author"), status: part("status"), again: part("again"), messages: 0,
    events: part("events"), eventsSeen: 0, reasoning: part("reasoning"),
    reasoningText: new TextView(answer.querySelector(".reasoning div"), false), text: new TextView(part("text"), true),
  };
  views.set(exchange.exchange_id, view);
  place(view, exchange);
  return view;
}

/** New exchanges go last, earlier ones before the first one that is drawn and comes after them: whole, or what a person
 * reads below would be pushed away by and by. */
function place(view, exchange) {
  const { exchanges } = state.room;
  const following = exchanges.slice(exchanges.indexOf(exchange) + 1).find((later) => views.has(later.exchange_id));
  view.element.hidden = following !== undefined;
  $("exchanges").insertBefore(view.element, following ? views.get(following.exchange_id).element : null);
}

/** Returns whether all of the exchange is drawn. */
function drawExchange(exchange, budget) {
  const view = viewOf(exchange);
  const { answer, again } = view;
  for (; view.messages < exchange.messages.length && !budget.isSpent; view.messages += 1) {
    const message = exchange.messages[view.messages];
    answer.before(drawMessage(message));
    budget.spend(message.text.length);
  }
  answer.hidden = !exchange.status;
  answer.setAttribute("aria-busy", String(isLive(exchange)));
  answer.classList.toggle("streaming", exchange.status === "streaming");
  view.author.textContent = exchange.agent_type ?? "agent";
  drawEvents(view, exchange.events);
  drawStatus(view.status, exchange);
  again.hidden = isLive(exchange) || !exchange.agent_type;
  again.onclick = () => send(exchange.messages.map((message) => message.text).join("\n"), exchange.exchange_id);

  view.reasoning.hidden = exchange.reasoning === "";
  view.reasoningText.update(exchange.reasoning);
  view.text.update(exchange.text);
  const isTextDrawn = view.reasoningText.draw(budget) && view.text.draw(budget);
  const isDrawn = isTextDrawn && view.messages === exchange.messages.length;
  if (isDrawn) view.element.hidden = false;
  return isDrawn;
}

function drawMessage({ user_id, role, text }) {
  const message = fromTemplate("message-template");
  message.classList.toggle("own", user_id === state.userId && role === "user");
  message.querySelector(".author").textContent = role === "user" ? user_id : `${user_id} (${role})`;
  drawSaid(message, text);
  return message;
}

/** What people say is short, so it is drawn at once; its parts keep the layout cheap all the same. */
function drawSaid(message, text) {
  const view = new TextView(message.querySelector(".said"), false);
  view.update(text);
  view.draw(new Budget(Infinity, Infinity));
}

function drawEvents(view, events) {
  for (const { type, name } of events.slice(view.eventsSeen)) {
    if (!name || type === "tool-result") continue;
    view.events.append(Object.assign(document.createElement("li"), { textContent: name }));
  }
  view.eventsSeen = events.length;
  view.events.hidden = view.events.childElementCount === 0;
}

function drawStatus(chip, { status, error, finish_reason }) {
  const texts = {
    waiting: "Waiting for its turn",
    cancelled: "Stopped",
    interrupted: "Interrupted: the hub stopped before the answer was complete",
    failed: `Failed: ${error?.message ?? error?.code ?? "the agent gave no reason"}`,
    completed: finish_reason === "length" ? "Cut at the length limit" : undefined,
  };
  chip.hidden = !texts[status];
  chip.dataset.status = status;
  chip.textContent = texts[status] ?? "";
}

function drawPending() {
  const entries = state.pending.filter((entry) => entry.room_id === state.room?.room_id);
  $("pending").replaceChildren(...entries.map((entry) => {
    const message = fromTemplate("pending-template");
    drawSaid(message, entry.text);
    message.querySelector(".status").hidden = !entry.error;
    message.querySelector(".status span").textContent = entry.error ?? "";
    message.querySelector(".retry").onclick = () => client.resend(entry);
    message.querySelector(".discard").onclick = () => client.discard(entry);
    return message;
  }));
}

function toast(text) {
  const message = Object.assign(document.createElement("p"), { textContent: text });
  $("toasts").append(message);
  setTimeout(() => message.remove(), toastMilliseconds);
}

const complain = (error) => toast(error.message ?? error.code ?? String(error));

// ---- What the client announces ----

const connectionTexts = {
  connecting: "Connecting…",
  online: "Connected",
  offline: "Reconnecting…",
  refused: "Refused by the hub; reload to try again",
};

client.addEventListener("connection", () => {
  $("connection").dataset.state = state.connection;
  $("connection").textContent = connectionTexts[state.connection];
  $("user").textContent = state.userId;
  schedule();
});

client.addEventListener("rooms", () => {
  listNeedsDrawing = true;
  if (state.isListed && !state.room) enterSomeRoom();
  schedule();
});

client.addEventListener("room", drawWholeRoom);
client.addEventListener("recovered", schedule);

client.addEventListener("exchange", ({ detail }) => {
  if (detail) dirty.add(detail);
  schedule();
});

client.addEventListener("pending", () => {
  drawPending();
  schedule();
});

client.addEventListener("earlier", () => {
  for (const exchange of state.room.exchanges) if (!views.has(exchange.exchange_id)) dirty.add(exchange);
  isStuck = false;
  schedule();
});

client.addEventListener("gone", ({ detail }) => {
  const texts = { "not-found": "This room does not exist, or no longer.", deletion: "This room was deleted." };
  if (detail.reason) toast(texts[detail.reason] ?? `You left the room: ${detail.reason}`);
  history.replaceState(null, "", location.pathname + location.search);
  drawWholeRoom();
});

client.addEventListener("problem", ({ detail }) => complain(detail));

// ---- Rooms ----

const roomInAddress = () => location.hash.match(/^#([A-Za-z0-9_-]{1,64})$/)?.[1];
let isCreating = false;

async function enterSomeRoom() {
  const [newest] = [...state.rooms.values()].sort((a, b) => b.last_activity.localeCompare(a.last_activity));
  if (newest) return enter(newest.room_id, "replaceState");
  if (isCreating) return;
  await createRoom(welcomeName, "replaceState");
}

async function createRoom(name, how) {
  isCreating = true;
  try {
    enter(await client.createRoom(name), how);
  } catch (error) {
    complain(error);
  } finally {
    isCreating = false;
  }
}

function enter(roomId, how = "pushState") {
  if (roomInAddress() !== roomId) history[how](null, "", `#${roomId}`);
  client.open(roomId);
  closeSidebar();
  if (matchMedia("(pointer: fine)").matches) $("composer-text").focus();
}

addEventListener("hashchange", () => roomInAddress() && enter(roomInAddress()));
addEventListener("popstate", () => roomInAddress() && enter(roomInAddress()));
$("new-room").onclick = () => createRoom("New conversation");

$("rename").onclick = () => {
  $("rename-text").value = state.room.info.room_name;
  askFirst($("rename-dialog"), "rename", (roomId) => client.renameRoom(roomId, $("rename-text").value.trim()));
  $("rename-text").select();
};
$("delete").onclick = () => askFirst($("delete-dialog"), "delete", (roomId) => client.deleteRoom(roomId));

function askFirst(dialog, answer, act) {
  const roomId = state.room.room_id;
  dialog.returnValue = "";
  dialog.onclose = () => dialog.returnValue === answer && act(roomId).catch(complain);
  dialog.showModal();
}

// ---- Writing, stopping, scrolling ----

function send(text, regenerateOf) {
  if (!state.room || text.trim() === "") return;
  isStuck = true;
  client.send(text.trim(), regenerateOf);
}

function fitComposer() {
  const field = $("composer-text");
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
  drawControls();
}

$("composer").onsubmit = (event) => {
  event.preventDefault();
  if ($("send").disabled) return;
  send($("composer-text").value);
  $("composer-text").value = "";
  fitComposer();
};
$("composer-text").oninput = fitComposer;
$("composer-text").onkeydown = (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("composer").requestSubmit();
};

const stop = () => client.stop().catch(complain);
$("stop").onclick = stop;
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  if ($("sidebar").classList.contains("is-open")) closeSidebar();
  else if (!$("stop").hidden) stop();
});

for (const button of $("suggestions").children) button.onclick = () => send(button.textContent);
$("earlier").onclick = () => client.loadEarlier().catch(complain);
document.querySelector("[data-skip]").onclick = (event) => {
  event.preventDefault();
  $("composer-text").focus();
};

$("scroller").onscroll = () => {
  const { scrollHeight, scrollTop, clientHeight } = $("scroller");
  if (scrollHeight - scrollTop - clientHeight < stickDistance) isStuck = true;
  else if (scrollTop < lastScrollTop) isStuck = false; // Only a person scrolls up; text that grows does not.
  lastScrollTop = scrollTop;
  $("latest").hidden = isStuck;
};
$("latest").onclick = () => {
  isStuck = true;
  schedule();
};

// A turned phone, an opened keyboard or a part whose height was a guess changes the size; whoever was at the end stays
// there.
const sizeObserver = new ResizeObserver(() => isStuck && scrollToEnd());
for (const id of ["scroller", "conversation"]) sizeObserver.observe($(id));

// ---- The room list on narrow screens ----

function closeSidebar() {
  $("sidebar").classList.remove("is-open");
  $("scrim").hidden = true;
}

$("sidebar-open").onclick = () => {
  $("sidebar").classList.add("is-open");
  $("scrim").hidden = false;
  $("sidebar-close").focus();
};
$("sidebar-close").onclick = closeSidebar;
$("scrim").onclick = closeSidebar;

addEventListener("online", () => client.reconnectNow());
document.addEventListener("visibilitychange", () => document.hidden || client.reconnectNow());

client.open(roomInAddress() ?? null);
client.connect();
