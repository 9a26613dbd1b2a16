'use strict';

// Elements are only ever built from text: nothing of a report is parsed as HTML.
const SVG = 'http://www.w3.org/2000/svg';

function element(tag, properties, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (name in made && !name.includes('-')) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== ''));
  return made;
}

function drawing(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const counted = new Intl.NumberFormat('en-US').format;
const scored = (pci) => pci.toFixed(1);

function bandOf(pci) {
  const shown = Math.round(pci);
  return shown <= 33 ? 'low' : shown <= 67 ? 'medium' : 'high';
}

// A bar of pieces, each a share of the whole with its class.
function bar(pieces) {
  let left = 0;
  const rects = pieces.map(([share, kind]) => {
    const rect = drawing('rect', { class: kind, x: `${left}%`, width: `${100 * share}%`, height: '100%' });
    left += 100 * share;
    return rect;
  });
  const track = drawing('rect', { class: 'track', width: '100%', height: '100%' });
  return drawing('svg', { class: 'bar', 'aria-hidden': 'true' }, track, ...rects);
}

// Rows are arrays of cells; a cell is a text, an element, or [text or element, class].
function table(caption, heads, rows) {
  const cell = (tag, what, properties) => {
    const [content, kind] = Array.isArray(what) ? what : [what, ''];
    return element(tag, { className: kind, ...properties }, content);
  };
  const head = element('tr', {}, ...heads.map((one) => cell('th', one, { scope: 'col' })));
  const body = rows.map(([first, ...others]) =>
    element('tr', {}, cell('th', first, { scope: 'row' }), ...others.map((one) => cell('td', one))));
  const made = element('table', { className: 'plain' },
    element('caption', {}, caption), element('thead', {}, head), element('tbody', {}, ...body));
  return element('div', { className: 'scroll' }, made);
}

async function copyText(text, button) {
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    done = copyBySelection(text); // where a page has no clipboard, as in some browsers from a file
  }
  button.textContent = done ? 'Copied' : 'Could not copy';
  setTimeout(() => { button.textContent = 'Copy'; }, 2000);
}

function copyBySelection(text) {
  const area = element('textarea', { value: text, className: 'hidden' });
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  return done;
}
