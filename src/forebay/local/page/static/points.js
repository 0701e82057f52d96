// The points behind the charts: what the server kept, and what came since. Old ones are thinned as the server does.
//
// Rules kept here and nowhere else:
// 1. No point is older than KEPT_MS. Of those older than FINE_MS one in four is kept.
// 2. Where nobody looked there is a gap: a line is never drawn through what was not seen.

const KEPT_MS = 600000;
const FINE_MS = 120000;
const GAP_MS = 4000;
const THIN_EVERY = 60;

export class Points {
  constructor(columns, rows) {
    this.columns = columns;
    this.rows = rows.slice();
    this.sinceThinned = 0;
  }

  add(row) {
    if (!row || (this.rows.length && row[0] <= this.rows.at(-1)[0])) return;
    this.rows.push(row);
    if (++this.sinceThinned >= THIN_EVERY) this.thin(row[0]);
  }

  thin(now) {
    this.sinceThinned = 0;
    let last = -Infinity;
    this.rows = this.rows.filter((row) => {
      if (row[0] < now - KEPT_MS) return false;
      if (row[0] >= now - FINE_MS || row[0] - last >= 1900) {
        last = row[0];
        return true;
      }
      return false;
    });
  }

  // The newest point by the names of its columns; zeros before there is one.
  newest() {
    const row = this.rows.at(-1) ?? this.columns.map(() => 0);
    return Object.fromEntries(this.columns.map((name, number) => [name, row[number]]));
  }

  // Local times, and the values of some columns, with nulls at both edges of a gap.
  series(names) {
    const indexes = names.map((name) => this.columns.indexOf(name));
    const x = [];
    const values = names.map(() => []);
    let last = null;
    for (const row of this.rows) {
      if (last !== null && row[0] - last > GAP_MS) {
        x.push(localTime(last + 1), localTime(row[0] - 1));
        values.forEach((one) => one.push(null, null));
      }
      x.push(localTime(row[0]));
      values.forEach((one, number) => one.push(row[indexes[number]]));
      last = row[0];
    }
    return { x, values };
  }

  // About so many rows, evenly over the time, the newest first: for the tables.
  sample(names, many) {
    const step = Math.max(1, Math.floor(this.rows.length / many));
    const indexes = names.map((name) => this.columns.indexOf(name));
    const found = [];
    for (let number = this.rows.length - 1; number >= 0 && found.length < many; number -= step) {
      const row = this.rows[number];
      found.push({ at: row[0], values: indexes.map((index) => row[index]) });
    }
    return found;
  }

  span() {
    if (!this.rows.length) return null;
    return [localTime(this.rows[0][0]), localTime(this.rows.at(-1)[0])];
  }
}

// Plotly draws its time axis in UTC; shifted, it shows the time of this place.
const shift = new Date().getTimezoneOffset() * 60000;
const localTime = (ms) => ms - shift;
