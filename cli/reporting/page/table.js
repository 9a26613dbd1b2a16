// The table of identities: its rows are in the page already, in the order of the index; they are hidden, moved and opened.

const KEYS = ['id', 'text', 'type', 'band', 'verdict', 'plan', 'cell', 'pci', 'share', 'unused', 'used', 'reach', 'planned'];
const BANDS = ['low', 'medium', 'high'];
const VERDICTS = ['within', 'exempt', 'over'];
const VALUES = {
  name: (one) => one.name,
  band: (one) => BANDS.indexOf(one.band),
  verdict: (one) => VERDICTS.indexOf(one.verdict),
  plan: (one) => one.planned,
};

class IdentityTable {
  constructor(table, index) {
    const rows = [...table.tBodies[0].rows];
    this.body = table.tBodies[0];
    this.heads = [...table.tHead.rows[0].cells];
    this.ones = index.map((values, place) => {
      const one = Object.fromEntries(KEYS.map((key, at) => [key, values[at]]));
      const opener = rows[place].querySelector('.opener');
      return Object.assign(one, { place, row: rows[place], opener, more: null,
        name: opener.textContent.toLowerCase(), text: one.text.toLowerCase() });
    });
    this.byRow = new Map(this.ones.map((one) => [one.row, one]));
    this.details = document.querySelectorAll('script.details');
    this.sorted = { key: 'pci', falling: true };
    this.filters = { search: '', type: '', band: '', verdict: '', plan: '', cell: null };
  }

  // ---- which are shown

  apply() {
    let shown = 0;
    const words = this.filters.search.toLowerCase().split(/\s+/).filter(Boolean);
    for (const one of this.ones) {
      const fits = this.fits(one, words);
      shown += fits;
      one.row.hidden = !fits;
      if (one.more) one.more.hidden = !fits;
    }
    const all = this.ones.length;
    return shown === all ? `${counted(all)} identities` : `${counted(shown)} of ${counted(all)} identities`;
  }

  fits(one, words) {
    const { type, band, verdict, plan, cell } = this.filters;
    return (!type || one.type === type) && (!band || one.band === band) && (!verdict || one.verdict === verdict) &&
      (!plan || one.plan === Number(plan)) && (cell === null || one.cell === cell) &&
      words.every((word) => one.text.includes(word));
  }

  // ---- in which order

  sortBy(key) {
    const falling = this.sorted.key === key ? !this.sorted.falling : key !== 'name';
    this.sort(key, falling);
  }

  sort(key, falling) {
    this.sorted = { key, falling };
    const value = VALUES[key] || ((one) => one[key]);
    const order = (a, b) => (typeof a === 'string' ? a.localeCompare(b, 'en') : a - b);
    const sorted = [...this.ones].sort((a, b) =>
      (falling ? -1 : 1) * order(value(a), value(b)) || a.place - b.place);
    this.body.append(...sorted.flatMap((one) => (one.more ? [one.row, one.more] : [one.row])));
    for (const head of this.heads) {
      if (head.dataset.sort === key) head.setAttribute('aria-sort', falling ? 'descending' : 'ascending');
      else head.removeAttribute('aria-sort');
    }
  }

  // ---- which are open

  toggle(one, open = one.opener.getAttribute('aria-expanded') !== 'true') {
    one.opener.setAttribute('aria-expanded', String(open));
    one.row.classList.toggle('opened', open);
    if (open && !one.more) one.more = this.build(one);
    else if (!open && one.more) {
      one.more.remove();
      one.more = null;
    }
    return open;
  }

  build(one) {
    const details = detailsOf(JSON.parse(this.details[one.place].textContent));
    const cell = element('td', { role: 'cell', colSpan: this.heads.length }, details);
    const row = element('tr', { role: 'row', className: 'more' }, cell);
    one.row.after(row);
    return row;
  }
}
