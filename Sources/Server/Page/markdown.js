// The light Markdown of answers, as DOM nodes: no HTML string is ever parsed, so text can only become text.
//
// How it works: `update` is called with the whole text so far. A block is final as soon as another one follows it, so
// only the last block is parsed and drawn again, however long the answer has grown.

const inlineCharactersMax = 20000;
const nestingMax = 5;
const inlinePattern = new RegExp(
  [
    "`([^`]+)`",
    "\\*\\*([^]+?)\\*\\*",
    "(?<![\\w*])[*_]([^\\s*_](?:[^*_\\n]*[^\\s*_])?)[*_](?![\\w*])",
    "\\[([^\\]\\n]+)\\]\\((https?:\\/\\/[^\\s)]+)\\)",
    "(https?:\\/\\/[^\\s<>\"'`)\\]]*[^\\s<>\"'`)\\].,;:!?])",
  ].join("|"),
  "g",
);

const fencePattern = /^ {0,3}```\s*([\w+#.-]*)/;
const headingPattern = /^(#{1,6})\s+(\S.*)/;
const itemPattern = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)/;
const quotePattern = /^>\s?(.*)/;
const rulePattern = /^ {0,3}(-{3,}|\*{3,}|_{3,})\s*$/;

export class MarkdownView {
  #element;
  #text = "";
  #lastStart = 0;
  #lastNode = null;

  constructor(element) {
    this.#element = element;
  }

  update(text) {
    if (!text.startsWith(this.#text.slice(0, this.#lastStart))) {
      this.#element.replaceChildren();
      this.#lastStart = 0;
      this.#lastNode = null;
    }
    this.#text = text;
    this.#lastNode?.remove();
    this.#lastNode = null;
    const from = this.#lastStart;
    for (const block of readBlocks(text.slice(from))) {
      this.#lastNode = drawBlock(block);
      this.#lastStart = from + block.start;
      this.#element.append(this.#lastNode);
    }
  }
}

function kindOf(line) {
  if (line.trim() === "") return "blank";
  if (fencePattern.test(line)) return "fence";
  if (headingPattern.test(line)) return "heading";
  if (rulePattern.test(line)) return "rule";
  if (itemPattern.test(line)) return "list";
  if (quotePattern.test(line)) return "quote";
  return "paragraph";
}

/** Blocks with the offset where each starts. */
function readBlocks(text) {
  const blocks = [];
  let open = null;
  let start = 0;
  for (const line of text.split("\n")) {
    const kind = kindOf(line);
    if (open?.kind === "fence") {
      if (/^ {0,3}```\s*$/.test(line)) open = null;
      else open.lines.push(line);
    } else if (kind === "blank") {
      open = null;
    } else if (open && (open.kind === kind || kind === "paragraph") && !["heading", "rule"].includes(open.kind)) {
      open.lines.push(line);
    } else {
      open = { kind, start, lines: kind === "fence" ? [] : [line], language: line.match(fencePattern)?.[1] };
      blocks.push(open);
    }
    start += line.length + 1;
  }
  return blocks;
}

function element(name, children = []) {
  const node = document.createElement(name);
  node.append(...children);
  return node;
}

function drawBlock({ kind, lines, language }, depth = 1) {
  switch (kind) {
    case "fence": return drawCode(lines.join("\n"), language);
    case "heading": {
      const [, marks, title] = lines[0].match(headingPattern);
      return element(`h${Math.min(marks.length + 2, 6)}`, drawInline(title.replace(/\s#+\s*$/, "")));
    }
    case "rule": return element("hr");
    case "list": return drawList(lines);
    case "quote": {
      const inner = lines.map((line) => line.match(quotePattern)?.[1] ?? line).join("\n");
      if (depth === nestingMax) return element("blockquote", drawLines(inner.split("\n")));
      return element("blockquote", readBlocks(inner).map((block) => drawBlock(block, depth + 1)));
    }
    default: return element("p", drawLines(lines));
  }
}

function drawCode(text, language) {
  const code = element("code", [text]);
  const block = element("pre", [code]);
  block.tabIndex = 0;
  if (language) block.dataset.language = language;
  return block;
}

/** Items by indentation; a deeper one opens a list inside the item above it. */
function drawList(lines) {
  const stack = [];
  for (const line of lines) {
    const match = line.match(itemPattern);
    if (!match) {
      stack.at(-1).list.lastChild.append(" ", ...drawInline(line.trim()));
      continue;
    }
    const [, space, mark, text] = match;
    while (stack.length > 1 && space.length < stack.at(-1).depth) stack.pop();
    const isDeeper = stack.length > 0 && stack.length < nestingMax && space.length >= stack.at(-1).depth + 2;
    if (stack.length === 0 || isDeeper) {
      const list = element(/\d/.test(mark) ? "ol" : "ul");
      if (/\d/.test(mark)) list.start = parseInt(mark, 10);
      stack.at(-1)?.list.lastChild.append(list);
      stack.push({ list, depth: space.length });
    }
    stack.at(-1).list.append(element("li", drawInline(text)));
  }
  return stack[0].list;
}

/** A line end is a space, unless two spaces or a backslash before it ask for a break. */
function drawLines(lines) {
  const parts = lines.join("\n").split(/(?: {2,}|\\)\n/);
  return parts.flatMap((part, index) => [...(index ? [element("br")] : []), ...drawInline(part)]);
}

function drawInline(text) {
  if (text.length > inlineCharactersMax) return [text];
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(inlinePattern)) {
    const [whole, code, strong, emphasis, label, target, bare] = match;
    if (match.index > end) nodes.push(text.slice(end, match.index));
    end = match.index + whole.length;
    if (code !== undefined) nodes.push(element("code", [code]));
    else if (strong !== undefined) nodes.push(element("strong", drawInline(strong)));
    else if (emphasis !== undefined) nodes.push(element("em", drawInline(emphasis)));
    else nodes.push(drawLink(target ?? bare, label ?? bare));
  }
  nodes.push(text.slice(end));
  return nodes;
}

function drawLink(target, label) {
  const link = element("a", [label]);
  link.href = target;
  link.rel = "noopener noreferrer";
  link.target = "_blank";
  return link;
}
