// Puts the page to work: theme, filters, sorting, opening, and the address of one identity.

const at = (id) => document.getElementById(id);
document.documentElement.classList.add('scripted');

// ---- theme: the system's, until the reader chooses; nothing is stored, since pages from files may not

function startTheme() {
  const root = document.documentElement;
  const system = matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => (root.dataset.theme ? root.dataset.theme === 'dark' : system.matches);
  const name = () => { at('theme').textContent = isDark() ? 'Light' : 'Dark'; };
  at('theme').addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    name();
  });
  system.addEventListener('change', name);
  name();
}

// ---- identities

function startTable(page) {
  const cells = [...document.querySelectorAll('.cell')];
  const show = () => { at('shown').textContent = page.apply(); };

  const chooseCell = (key) => {
    page.filters.cell = key;
    for (const cell of cells) cell.setAttribute('aria-pressed', String(Number(cell.dataset.cell) === key && key !== null));
    show();
  };
  const clear = () => {
    for (const name of ['search', 'type', 'band', 'verdict', 'plan']) page.filters[name] = at(name).value = '';
    chooseCell(null);
  };

  for (const name of ['search', 'type', 'band', 'verdict', 'plan']) {
    at(name).addEventListener('input', () => {
      page.filters[name] = at(name).value;
      show();
    });
  }
  for (const cell of cells) {
    cell.addEventListener('click', () => {
      const key = Number(cell.dataset.cell);
      chooseCell(page.filters.cell === key ? null : key);
    });
  }
  at('clear').addEventListener('click', clear);
  at('sort').addEventListener('input', () => page.sort(at('sort').value, at('sort').value !== 'name'));
  at('table').tHead.addEventListener('click', (event) => {
    const head = event.target.closest('th[data-sort]');
    if (head) page.sortBy(head.dataset.sort);
  });
  startOpening(page);
  startEscape(page, clear);
  startAddress(page, clear);
}

function startOpening(page) {
  at('table').addEventListener('click', (event) => {
    const opener = event.target.closest('.opener');
    if (!opener) return;
    const one = page.byRow.get(opener.closest('tr'));
    if (page.toggle(one)) remember(one);
  });
}

function startEscape(page, clear) {
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    const row = event.target.closest('tr.row, tr.more');
    const one = row && (page.byRow.get(row) || page.byRow.get(row.previousElementSibling));
    if (one && one.more) {
      page.toggle(one, false);
      one.opener.focus();
    } else clear();
  });
}

// ---- #<identity id> opens that identity

function remember(one) {
  if (!one.id) return;
  try {
    history.replaceState(null, '', `#${encodeURIComponent(one.id)}`);
  } catch {
    // some browsers allow no change of a file's address: the row is open all the same
  }
}

function startAddress(page, clear) {
  const go = () => {
    const id = addressed();
    const one = id && page.ones.find((each) => each.id === id);
    if (!one) return;
    if (one.row.hidden) clear();
    page.toggle(one, true);
    one.row.scrollIntoView({ block: 'start' });
    one.opener.focus({ preventScroll: true });
  };
  addEventListener('hashchange', go);
  go();
}

function addressed() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return ''; // not an address that this page made
  }
}

startTheme();
if (at('table')) startTable(new IdentityTable(at('table'), JSON.parse(at('index').textContent)));
performance.mark('usable');
