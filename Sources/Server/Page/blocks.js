// The blocks of light Markdown, read one at a time and each of bounded size, without any DOM: whoever draws a text can
// stop after any block and go on in a later task.
//
// How it works: a block that reaches its limit is cut, and what follows is a block of its own that continues it. Where
// a cut falls depends only on what stands before it, so a text that still grows keeps its cuts.
//
// Invariant: reading one block looks at no more of the text than that block's limit and one line.

const lineCharactersMax = 4096;
const spaceCharactersMax = 256; // How far before a cut in mid-line a space is looked for.
const limits = { lines: 200, characters: 4096 };
const pieceLinesMax = 400;
const fenceLimits = { lines: 400, characters: 16384 };
const languageCharactersMax = 40;

const fencePattern = /^ {0,3}```\s*([\w+#.-]*)/;
const fenceEndPattern = /^ {0,3}```\s*$/;
const rulePattern = /^ {0,3}(-{3,}|\*{3,}|_{3,})\s*$/;
export const headingPattern = /^(#{1,6})\s+(\S.*)/s;
export const itemPattern = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)/s;
export const quotePattern = /^>\s?(.*)/s;

/**
 * The Markdown block at `from`, or null at the end of the text: `kind`, `lines`, `start`, `end`, and `carried`, which
 * is handed to the call for the block that follows.
 */
export function nextBlock(text, from, carried = null) {
  if (from >= text.length) return null;
  const first = readLine(text, from);
  const kind = kindAfter(carried, first.line);
  const isContinued = carried !== null && (kind === carried.kind || carried.isMidLine);
  const block = { kind, isContinued, lines: [], start: from, end: from, carried: null };
  if (kind === "fence" && !isContinued) {
    block.language = first.line.match(fencePattern)[1].slice(0, languageCharactersMax);
    block.end = first.next;
    if (first.isCut) return cut(block, true);
  }
  while (block.end < text.length) {
    const { line, next, isCut } = readLine(text, block.end);
    if (kind === "fence") {
      if (fenceEndPattern.test(line)) return { ...block, end: next };
    } else if (block.lines.length > 0) {
      const lineKind = kindOf(line);
      if (!belongs(kind, lineKind)) return block;
      if (isFull(block) && (kind !== "list" || isCuttable(block, line, lineKind))) return cut(block, false);
    }
    block.lines.push(line);
    block.end = next;
    if (isCut) return cut(block, true);
    if (kind === "fence" && isFull(block)) return cut(block, false);
    if (kind === "heading" || kind === "rule") return block;
  }
  return block;
}

/** The piece of plain text at `from`, or null at the end of the text. */
export function nextPiece(text, from) {
  if (from >= text.length) return null;
  let end = from;
  for (let lines = 0; end < text.length && lines < pieceLinesMax && end - from < limits.characters; lines += 1) {
    end = readLine(text, end).next;
  }
  return { kind: "piece", lines: [text.slice(from, end)], start: from, end, isContinued: from > 0, carried: null };
}

/** A line without its end, or as much of it as one block may hold. */
function readLine(text, from) {
  const seen = text.slice(from, from + lineCharactersMax + 1);
  const length = seen.indexOf("\n");
  if (length >= 0) return { line: seen.slice(0, length), next: from + length + 1, isCut: false };
  if (seen.length <= lineCharactersMax) return { line: seen, next: from + seen.length, isCut: false };
  const space = seen.lastIndexOf(" ", lineCharactersMax - 1);
  const isPair = (seen.charCodeAt(lineCharactersMax) & 0xfc00) === 0xdc00;
  const end = lineCharactersMax - space <= spaceCharactersMax ? space + 1 : lineCharactersMax - (isPair ? 1 : 0);
  return { line: seen.slice(0, end), next: from + end, isCut: true };
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

/** What a block is that begins with `line`, after one that was cut or, with null, after one that has ended. */
function kindAfter(carried, line) {
  if (carried?.kind === "fence") return "fence";
  if (carried?.isMidLine) return carried.kind === "quote" ? "quote" : "paragraph";
  const kind = kindOf(line);
  if (carried === null || !belongs(carried.kind, kind)) return kind;
  return carried.kind === "list" && kind !== "list" ? "paragraph" : carried.kind;
}

/** Whether a line may go on a block. */
function belongs(blockKind, lineKind) {
  if (blockKind === "heading" || blockKind === "rule") return false;
  return lineKind === blockKind || (lineKind === "paragraph" && blockKind !== "blank");
}

function isFull({ kind, lines, start, end }) {
  const { lines: linesMax, characters: charactersMax } = kind === "fence" ? fenceLimits : limits;
  return lines.length >= linesMax || end - start >= charactersMax;
}

/** A list is cut before an item of its outermost level, if one comes soon. */
function isCuttable({ lines, start, end }, line, lineKind) {
  const isOuter = lineKind === "list" && indentation(line) <= indentation(lines[0]);
  return isOuter || lines.length >= 2 * limits.lines || end - start >= 2 * limits.characters;
}

const indentation = (line) => line.length - line.trimStart().length;

function cut(block, isMidLine) {
  return { ...block, carried: block.kind === "blank" ? null : { kind: block.kind, isMidLine } };
}
