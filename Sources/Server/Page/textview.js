// A text that grows, drawn block by block within a budget, so that no text holds the page for long.
//
// How it works: `update` says what the text is by now, `draw` draws until the budget is spent and says whether all is
// drawn. A block is final once a whole line follows it, so growth draws the last block or two again, however long the
// text is. Blocks stand in parts; a full part is laid out only where it is near the screen. A text that is nothing but
// marks has its first thousands of them drawn and is plain from there on: a browser is slow with so many elements.
//
// Invariant: the text only grows; for another text there is another view.

import { nextBlock, nextPiece } from "./blocks.js";
import { drawBlock, drawPiece } from "./markdown.js";

const elementsMax = 10000;
const partLimits = { lines: 200, characters: 4096 };
const budgetMilliseconds = 8;
const budgetCharacters = 32768;
const elementCharacters = 20; // An element costs as much layout as so many characters.
const lineCharacters = 80; // A rough line, to guess at how high a part is that was never seen.
const lineHeight = 26;

/** What one task may spend on drawing: time for making nodes, characters for the layout that follows. */
export class Budget {
  #end;
  #characters;

  constructor(milliseconds = budgetMilliseconds, characters = budgetCharacters) {
    this.#end = performance.now() + milliseconds;
    this.#characters = characters;
  }

  spend(characters, elements = 1) {
    this.#characters -= characters + elements * elementCharacters;
  }

  get isSpent() {
    return this.#characters <= 0 || performance.now() >= this.#end;
  }
}

export class TextView {
  #element;
  #isMarkdown;
  #text = "";
  #tail = []; // The last blocks, each with the state before it: a longer text may change them.
  #state = { at: 0, carried: null, part: null, elements: 0 };

  constructor(element, isMarkdown) {
    this.#element = element;
    this.#isMarkdown = isMarkdown;
  }

  update(text) {
    if (text.length === this.#text.length) return;
    this.#text = text;
    while (this.#tail.length > 0) this.#takeBack(this.#tail.pop());
  }

  /** Returns whether all of the text is drawn. */
  draw(budget) {
    while (this.#state.at < this.#text.length) {
      if (budget.isSpent) return false;
      this.#drawNext(budget);
    }
    return true;
  }

  #drawNext(budget) {
    const before = this.#state;
    const isPlain = !this.#isMarkdown || before.elements >= elementsMax;
    const block = (isPlain ? nextPiece : nextBlock)(this.#text, before.at, before.carried);
    const node = isPlain ? drawPiece(block) : drawBlock(block);
    const elements = node ? 1 + node.getElementsByTagName("*").length : 0;
    const part = node ? this.#place(node, block) : before.part;
    this.#state = { at: block.end, carried: block.carried, part, elements: before.elements + elements };
    budget.spend(block.end - block.start, elements);

    this.#tail.push({ node, before });
    const isLineWhole = block.end < this.#text.length || this.#text.indexOf("\n", block.start) >= 0;
    if (isLineWhole || this.#tail.length > 2) this.#tail.splice(0, this.#tail.length - 1);
  }

  /** Returns the part that the node went to. */
  #place(node, block) {
    const { isContinued, carried } = block;
    if (isContinued) node.classList.add("continued");
    if (carried) node.classList.add("cut");
    const part = isFull(this.#state.part) ? this.#openPart(isContinued) : this.#state.part;
    part.element.append(node);
    return {
      element: part.element, lines: part.lines + linesOf(block), characters: part.characters + block.end - block.start,
    };
  }

  #openPart(isContinued) {
    const full = this.#state.part;
    if (full) {
      full.element.style.containIntrinsicBlockSize = `auto ${full.lines * lineHeight}px`;
      full.element.classList.add("full");
    }
    const element = document.createElement("div");
    element.className = isContinued ? "part continued" : "part";
    this.#element.append(element);
    return { element, lines: 0, characters: 0 };
  }

  #takeBack({ node, before }) {
    node?.remove();
    if (this.#state.part?.element !== before.part?.element) {
      this.#state.part.element.remove();
      before.part?.element.classList.remove("full");
    }
    this.#state = before;
  }
}

function isFull(part) {
  return part === null || part.lines >= partLimits.lines || part.characters >= partLimits.characters;
}

/** About how many lines a block takes on the screen. */
function linesOf({ lines }) {
  return lines.reduce((count, line) => count + 1 + Math.floor(line.length / lineCharacters), 0);
}
