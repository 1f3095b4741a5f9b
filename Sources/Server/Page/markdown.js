// Draws the blocks of light Markdown as DOM nodes: no HTML string is ever parsed, so text can only become text.

import { headingPattern, itemPattern, nextBlock, quotePattern } from "./blocks.js";

const nestingMax = 5;

// Linear: what an alternative looks through ends at the next place where it could begin, so nothing is read twice.
const inlinePattern = new RegExp(
  [
    "`([^`]+)`",
    "\\*\\*([^]+?)\\*\\*",
    "(?<![\\w*])[*_]([^\\s*_](?:[^*_\\n]*[^\\s*_])?)[*_](?![\\w*])",
    "\\[([^\\][\\n]+)\\]\\((https?:\\/\\/(?:[^\\s()]|\\([^\\s()]*\\))+)\\)",
    "(https?:\\/\\/[^\\s<>\"'`)\\]]*[^\\s<>\"'`)\\].,;:!?])",
  ].join("|"),
  "g",
);

/** The node of a block, or null where there is nothing to see. */
export function drawBlock(block, depth = 1) {
  const { kind, lines } = block;
  switch (kind) {
    case "blank": return null;
    case "fence": return block.isContinued && lines.length === 0 ? null : drawCode(block);
    case "heading": {
      const [, marks, title] = lines[0].match(headingPattern);
      return element(`h${Math.min(marks.length + 2, 6)}`, drawInline(title.replace(/\s#+\s*$/, "")));
    }
    case "rule": return element("hr");
    case "list": return drawList(lines);
    case "quote": {
      const inner = lines.map((line) => line.match(quotePattern)?.[1] ?? line);
      if (depth === nestingMax) return element("blockquote", drawLines(inner));
      return element("blockquote", drawBlocks(inner.join("\n"), depth + 1));
    }
    default: return element("p", drawLines(lines));
  }
}

/** A piece of plain text; its last line end is the end of the piece. */
export function drawPiece({ lines }) {
  const piece = element("div", lines);
  piece.className = "piece";
  return piece;
}

function drawBlocks(text, depth) {
  const nodes = [];
  for (let block = nextBlock(text, 0); block; block = nextBlock(text, block.end, block.carried)) {
    const node = drawBlock(block, depth);
    if (node) nodes.push(node);
  }
  return nodes;
}

function element(name, children = []) {
  const node = document.createElement(name);
  node.append(...children);
  return node;
}

/** A block that was cut between two lines keeps the line end between them, so that what is copied is what was said. */
function drawCode({ lines, language, carried }) {
  const code = element("code", [lines.join("\n"), ...(carried && !carried.isMidLine ? ["\n"] : [])]);
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
  const parts = lines.join("\n").split(/(?:(?<! ) {2,}|\\)\n/);
  return parts.flatMap((part, index) => [...(index ? [element("br")] : []), ...drawInline(part)]);
}

function drawInline(text) {
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
  if (end < text.length) nodes.push(text.slice(end));
  return nodes;
}

function drawLink(target, label) {
  const link = element("a", [label]);
  link.href = target;
  link.rel = "noopener noreferrer";
  link.target = "_blank";
  return link;
}
