// Does Mermaid see in each scenario what the harness sees?
//
// Standard input: JSON Lines, one a diagram: {"id", "diagram", "messages": [{"kind": "message", …}, …]}, as
// `cargo run -p mpchat-script --example mermaid_lines -- scenarios` prints them. Without `messages`, the diagram only has to
// be accepted. Exit code 1 if anything differs, with the differences; 2 if there was nothing to check.
//
// Two versions of Mermaid look, because viewers are slow to change: what one accepts, the other may drop without a word. Whoever
// names one of them has that one look alone.

import { createInterface } from 'node:readline';
import { JSDOM } from 'jsdom';

// Mermaid cleans texts with DOMPurify, which needs a document.
const { window } = new JSDOM('');
globalThis.window = window;
globalThis.document = window.document;

const versions = [];
const named = process.argv.slice(2);
for (const name of named.length > 0 ? named : ['mermaid-11', 'mermaid-12']) {
  const { default: mermaid } = await import(name);
  mermaid.initialize({ startOnLoad: false, securityLevel: 'strict' });
  versions.push({ name, mermaid });
}

const ARROWS = { SOLID: '->>', SOLID_CROSS: '-x', DOTTED_CROSS: '--x' };
const BLOCKS = {
  PAR_START: 'par', PAR_AND: 'and', ALT_START: 'alt', ALT_ELSE: 'else', OPT_START: 'opt', LOOP_START: 'loop',
};
const ENDS = { PAR_END: 'par', ALT_END: 'alt', OPT_END: 'opt', LOOP_END: 'loop' };

/** What Mermaid reports, in the words of our list. Kinds outside of the language keep Mermaid's own word, and so differ. */
function seen(db) {
  const words = Object.fromEntries(Object.entries(db.LINETYPE).map(([word, type]) => [type, word]));
  return db.getMessages().map(({ type, from, to, message, activate, centralConnection }) => {
    const word = words[type];
    if (activate || centralConnection) return { kind: 'activation or central connection', word, from, to };
    if (word in ARROWS) return { kind: 'message', from, to, arrow: ARROWS[word], text: message };
    if (word === 'NOTE' && from === to) return { kind: 'note', over: from, text: message };
    if (word in BLOCKS) return { kind: 'block', word: BLOCKS[word], label: message };
    if (word in ENDS) return { kind: 'end', word: ENDS[word] };
    return { kind: word, from, to, text: message };
  });
}

/** The lifelines that the list implies, in the order in which Mermaid meets them. */
function lifelines(messages) {
  const names = messages.flatMap((item) => [item.from, item.to, item.over]).filter((name) => name !== undefined);
  return [...new Set(names)];
}

// Keys in one order, so that equal things print alike.
const print = (value) => (value === undefined ? 'nothing' : JSON.stringify(value, Object.keys(value).sort()));

/** The differences, as lines of text. */
async function differences(mermaid, { diagram, messages }) {
  let parsed;
  try {
    parsed = await mermaid.mermaidAPI.getDiagramFromText(diagram);
  } catch (error) {
    return [`refused: ${error.message}`];
  }
  if (parsed.type !== 'sequence') return [`taken for a diagram of another type: ${parsed.type}`];
  if (messages === undefined) return [];
  const theirs = seen(parsed.db);
  const found = [];
  for (let index = 0; index < Math.max(theirs.length, messages.length); index += 1) {
    const [ours, other] = [print(messages[index]), print(theirs[index])];
    if (ours !== other) found.push(`line ${index + 1} of the list:\n    ours:    ${ours}\n    mermaid: ${other}`);
  }
  const [ours, other] = [lifelines(messages).join(' '), [...parsed.db.getActors().keys()].join(' ')];
  if (ours !== other) found.push(`lifelines:\n    ours:    ${ours}\n    mermaid: ${other}`);
  return found;
}

let checked = 0;
let wrong = 0;
for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() === '') continue;
  const row = JSON.parse(line);
  checked += 1;
  for (const { name, mermaid } of versions) {
    const found = await differences(mermaid, row);
    if (found.length > 0) {
      wrong += 1;
      console.log(`${row.id} (${name})`);
      for (const text of found.slice(0, 5)) console.log(`  ${text}`);
    }
  }
}
console.log(`${checked} diagrams, ${wrong} differences`);
process.exit(checked === 0 ? 2 : Number(wrong > 0));
