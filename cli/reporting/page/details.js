// What an opened row shows. The arrays are in the order in which cli/reporting/details.py writes them.

const ROWS = 12; // of a table, before the others wait to be asked for
const LINES = 400; // of a difference, above which it waits to be asked for

function detailsOf(one) {
  const sides = element('div', { className: 'sides' },
    ...[partsOf(one), servicesOf(one), planOf(one), trendOf(one), historyOf(one), coverageOf(one)].filter(Boolean));
  return element('div', {}, factsOf(one), sides);
}

function factsOf(one) {
  const [granted, used, unused, unknown] = one.counts;
  const facts = [
    element('code', {}, one.arn),
    one.id ? element('code', {}, one.id) : null,
    `${counted(granted)} granted: ${counted(used)} used, ${counted(unused)} unused, ${counted(unknown)} unknown`,
    `${counted(one.days || 0)} ${one.days === 1 ? 'day' : 'days'} observed`,
    one.exempt ? `exempt: ${one.exempt}` : null,
    one.outcome || null,
  ];
  return element('ul', { className: 'facts' }, ...facts.filter(Boolean).map((fact) => element('li', {}, fact)));
}

function partsOf(one) {
  if (!one.parts) return null;
  const rows = one.parts.map(([risk, chance, unused, path, ...examples]) => {
    const name = element('span', {}, path ? `${risk}, by path ${path}` : risk);
    if (examples.length) name.append(element('small', { className: 'soft' }, examples.join(', ')));
    return [name, [bar([[chance, 'fill']]), 'wide'], [chance.toFixed(2), 'n'], [counted(unused), 'n']];
  });
  const heads = ['Class', ['', 'wide'], ['Chance of damage', 'n'], ['Unused', 'n']];
  return shortened('What makes the PCI', heads, rows);
}

function servicesOf(one) {
  if (!one.services) return null;
  const most = Math.max(1, ...one.services.map((service) => service[4]));
  const rows = one.services.map(([name, used, unused, unknown, granted]) => [
    name,
    [bar([[used / most, 'low'], [unknown / most, 'fill-soft'], [unused / most, 'fill']]), 'wide'],
    ...[granted, used, unused, unknown].map((number) => [counted(number), 'n']),
  ]);
  const heads = ['Service', ['', 'wide'], ...['Granted', 'Used', 'Unused', 'Unknown'].map((name) => [name, 'n'])];
  const key = [['low', 'used'], ['fill-soft', 'unknown'], ['fill', 'unused']].map(([kind, name]) =>
    element('li', {}, drawing('svg', { 'aria-hidden': 'true' }, drawing('rect', { class: kind })), name));
  return element('div', {}, shortened('Granted against used', heads, rows), element('ul', { className: 'key' }, ...key));
}

// The first rows of a table; the others, if there are many, wait behind a line that says how many they are.
function shortened(caption, heads, rows) {
  if (rows.length <= ROWS + 2) return table(caption, heads, rows);
  const others = element('details', { className: 'document' },
    element('summary', {}, `${counted(rows.length - ROWS)} more`), table(`${caption}, continued`, heads, rows.slice(ROWS)));
  return element('div', {}, table(caption, heads, rows.slice(0, ROWS)), others);
}

function planOf(one) {
  if (!one.plan) {
    const why = one.noPlan || 'None is needed or possible.';
    return element('div', {}, element('h3', {}, 'No plan'), element('p', {}, why));
  }
  const plan = one.plan;
  const effect = `Takes ${counted(plan.removes)} permissions away, keeps ${counted(plan.keeps)}; ` +
    `PCI ${scored(plan.before)} → ${scored(plan.after)}` + (plan.enough ? '.' : ', which is still over the threshold.') + (plan.rests ? ` It ${plan.rests}.` : '');
  const name = [`Plan ${plan.id}`, plan.strategy, plan.status.toLowerCase().replaceAll('_', ' ')].filter(Boolean).join(', ');
  const parts = [element('h3', {}, name), element('p', {}, effect)];
  if (plan.notes.length) parts.push(element('ul', {}, ...plan.notes.map((note) => element('li', {}, note))));
  if (plan.diff) parts.push(diffOf(plan.diff));
  return element('div', { className: 'whole' }, ...parts, ...plan.policies.map(documentOf));
}

function diffOf(diff) {
  const kinds = { '-': 'gone', '+': 'come', '@': 'place' };
  const lines = diff.split('\n').map((line) => {
    const kind = line.startsWith('---') || line.startsWith('+++') ? 'place' : kinds[line[0]] || 'same';
    return element('span', { className: kind }, `${line}\n`);
  });
  const shown = element('pre', { tabIndex: 0, 'aria-label': 'Difference of the policies' }, ...lines);
  if (lines.length <= LINES) return shown;
  const summary = element('summary', {}, `Difference of the policies, ${counted(lines.length)} lines`);
  return element('details', { className: 'document' }, summary, shown);
}

function documentOf([name, text]) {
  const button = element('button', { type: 'button', className: 'copy', 'aria-label': `Copy ${name}` }, 'Copy');
  button.addEventListener('click', (event) => {
    event.preventDefault(); // a click in a summary would open or close it
    copyText(text, button);
  });
  const body = element('pre', { tabIndex: 0, 'aria-label': name }, text);
  return element('details', { className: 'document' }, element('summary', {}, `Policy ${name}`, button), body);
}

function historyOf(one) {
  if (!one.history) return null;
  const entries = one.history.map(([at, type, summary]) =>
    element('li', { title: type }, element('time', {}, at), summary));
  return element('div', {}, element('h3', {}, 'History'), element('ol', { className: 'history' }, ...entries));
}

function trendOf(one) {
  if (!one.trend || one.trend.length < 3) return null; // a day, and two values at least
  const [first, ...values] = one.trend;
  const span = values.at(-1)[0] || 1;
  const last = values.at(-1)[1];
  const missing = span + 1 - values.length;
  const label = `PCI from ${scored(values[0][1])} to ${scored(last)} in ${counted(span)} days since ${first}` +
    (missing > 0 ? `, ${counted(missing)} of them without a score` : '');
  const lines = [0, 32, 66, 100].map((y) => drawing('line', { class: 'grid', x2: '100%', y1: `${y}%`, y2: `${y}%` }));
  const line = drawing('svg', { viewBox: '0 0 100 100', preserveAspectRatio: 'none' }, ...runsOf(values, span));
  const end = drawing('circle', { class: bandOf(last), cx: '100%', cy: `${100 - last}%`, r: 3.5 });
  const chart = drawing('svg', { role: 'img', 'aria-label': label }, ...lines, line, end);
  return element('div', {}, element('h3', {}, 'Trend'), element('div', { className: 'small-chart' }, chart),
    element('p', { className: 'soft' }, `${label}.`));
}

// A line for each run of days, since nobody knows what was between; a day by itself is a line to itself, drawn as a dot.
function runsOf(values, span) {
  const runs = [];
  values.forEach(([day, pci], at) => {
    if (!at || day - values[at - 1][0] > 1) runs.push([]);
    runs.at(-1).push(`${(100 * day) / span},${100 - pci}`);
  });
  return runs.map((run) => drawing('polyline', { points: (run.length > 1 ? run : [...run, ...run]).join(' ') }));
}

function coverageOf(one) {
  if (!one.coverage) return null;
  const lines = one.coverage.map((line) => element('li', {}, line));
  return element('div', {}, element('h3', {}, 'What the score rests on'), element('ul', {}, ...lines));
}
