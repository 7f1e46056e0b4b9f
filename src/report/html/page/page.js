"use strict";
(() => {
  const PAGE = 50;
  const ID = 0, KEY = 1, COUNT = 2, CAUSE = 3, CONFIDENCE = 4, EPISODE = 5, FIRST = 6, SPAN = 7,
    AMOUNT = 8, CURRENCY = 9, SUBJECT = 10, IDENTICAL = 11, FIELDS = 12, REVIEW = 13, STATUS = 14,
    RECORDS = 15;
  const data = JSON.parse(document.getElementById("groups-data").textContent);
  const table = document.getElementById("groups-table");
  const form = document.getElementById("filters");
  const text = document.getElementById("filter-text");
  const cause = document.getElementById("filter-cause");
  const kind = document.getElementById("filter-kind");
  const count = document.getElementById("filter-count");
  const pages = document.getElementById("pages");
  const numbers = new Intl.NumberFormat("en-US");
  const collator = new Intl.Collator("en", { numeric: true });
  const rows = data.rows;
  for (const row of rows) {
    row[ID] = "g_" + row[ID];
    const original = row[RECORDS][0];
    if (original && original[6] === 0) original[6] = row[SUBJECT];
    for (const record of row[RECORDS].slice(1)) {
      for (let cell = 3; cell < 7; cell += 1) {
        if (record[cell] === 0) record[cell] = original[cell];
      }
    }
  }
  const has = (column) => rows.some((row) => row[column] !== null);

  const make = (name, attributes, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value !== null && value !== false) element.setAttribute(key, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };
  const grouped = (decimal) => {
    const [whole, fraction] = String(decimal).split(".");
    const commas = whole.replace(/\B(?=(\d{3})+$)/g, ",");
    return fraction === undefined ? commas : commas + "." + fraction;
  };
  const money = (amount, currency) =>
    amount === null || amount === undefined ? "" : (currency ? currency + " " : "") + grouped(amount);
  const moment = (millis) => {
    if (millis === null || Math.abs(millis) > 8.64e15) return millis === null ? "" : millis + " ms";
    return new Date(millis).toISOString().replace("T", " ").replace("Z", "");
  };
  const duration = (millis) => {
    if (millis === null) return "";
    const units = [[86400000, "d"], [3600000, "h"], [60000, "min"], [1000, "s"]];
    for (const [size, name] of units) {
      if (millis >= size) return numbers.format(Math.floor(millis / size * 10) / 10) + " " + name;
    }
    return millis + " ms";
  };
  const causeName = (index) => {
    const code = data.causes[index];
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "key");
    svg.setAttribute("viewBox", "0 0 10 10");
    svg.setAttribute("aria-hidden", "true");
    const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    rect.setAttribute("class", "c-" + code);
    rect.setAttribute("width", "10");
    rect.setAttribute("height", "10");
    rect.setAttribute("rx", "2");
    svg.append(rect);
    return make("span", { class: "cause" }, svg, code);
  };

  const columns = [
    { name: table.dataset.key || "Dedup key", of: (row) => row[KEY], text: true },
    { name: "Extra", of: (row) => row[COUNT] - 1, number: true },
    { name: "Cause", of: (row) => data.causes[row[CAUSE]], text: true,
      show: (row) => make("span", {}, causeName(row[CAUSE]),
        row[CONFIDENCE] === null ? null
          : make("span", { class: "quiet" }, " " + data.confidences[row[CONFIDENCE]])) },
    { name: "First, UTC", of: (row) => row[FIRST], show: (row) => moment(row[FIRST]), nowrap: true },
    { name: "Span", of: (row) => row[SPAN], show: (row) => duration(row[SPAN]), number: true },
  ];
  if (table.dataset.amounts) {
    columns.push({ name: "At risk", number: true,
      of: (row) => row[AMOUNT] === null ? null : Number(row[AMOUNT]),
      show: (row) => money(row[AMOUNT], row[CURRENCY]) });
  }
  if (table.dataset.subject) {
    columns.push({ name: table.dataset.subject, of: (row) => row[SUBJECT], text: true });
  }
  if (has(STATUS)) columns.push({ name: "Status", of: (row) => row[STATUS], text: true });

  let sorted = { column: null, ascending: false };
  let shown = rows;
  let page = 0;
  const unfolded = new Set();

  const compare = (column, ascending) => (left, right) => {
    const [a, b] = [column.of(left), column.of(right)];
    if (a === b) return 0;
    if (a === null || a === undefined) return 1;
    if (b === null || b === undefined) return -1;
    const order = column.text ? collator.compare(a, b) : a < b ? -1 : a > b ? 1 : 0;
    return ascending ? order : -order;
  };
  const haystack = (row) => {
    const places = row[RECORDS].map((record) => placeOf(record));
    return [row[ID], row[KEY], row[SUBJECT], ...places].join("\n").toLowerCase();
  };
  const placeOf = (record) => {
    const place = data.places[record[0]];
    return record[1] === null || record[1] === undefined ? place.slice(0, -1) : place + record[1];
  };
  const isShown = (row) => {
    const needle = text.value.trim().toLowerCase();
    if (cause.value && data.causes[row[CAUSE]] !== cause.value) return false;
    if (kind.value === "differ" && row[IDENTICAL] !== false) return false;
    if (kind.value === "review" && row[REVIEW] === null) return false;
    return !needle || haystack(row).includes(needle);
  };

  const head = () => {
    const line = make("tr");
    for (const column of columns) {
      const order = sorted.column !== column ? "none"
        : sorted.ascending ? "ascending" : "descending";
      const button = make("button", { type: "button" }, column.name);
      button.addEventListener("click", () => {
        const ascending = sorted.column === column ? !sorted.ascending : Boolean(column.text);
        sorted = { column, ascending };
        page = 0;
        draw();
        table.tHead.rows[0].cells[columns.indexOf(column)].firstChild.focus();
      });
      line.append(make("th",
        { scope: "col", "aria-sort": order, class: column.number ? "number" : null }, button));
    }
    return make("thead", {}, line);
  };

  const difference = (value, original) => {
    if (value === original) return [value];
    let start = 0;
    while (start < value.length && value[start] === original[start]) start += 1;
    let end = 0;
    while (end < value.length - start && end < original.length - start
      && value[value.length - 1 - end] === original[original.length - 1 - end]) end += 1;
    const middle = value.slice(start, value.length - end);
    return [value.slice(0, start), middle ? make("mark", {}, middle) : null,
      value.slice(value.length - end)];
  };
  const inside = (row) => {
    const records = row[RECORDS];
    const original = records[0];
    const shows = (index) => records.some((record) => record[index] !== null
      && record[index] !== undefined);
    const cells = [
      ["Occurrence", (record, index) => index ? "extra " + index : "original"],
      ["Where", placeOf],
    ];
    if (row[FIRST] !== null) cells.push(["Time, UTC", (record) =>
      record[2] === null || record[2] === undefined ? "" : moment(row[FIRST] + record[2])]);
    if (shows(3)) cells.push(["Record key", (record) => record[3] ?? "", true]);
    if (shows(4)) cells.push(["Amount", (record) => money(record[4], record[5]), true]);
    if (shows(6)) cells.push([table.dataset.subject || "Subject", (record) => record[6] ?? "", true]);
    if (shows(7)) cells.push(["Cause", (record) => record[7] === null || record[7] === undefined
      ? "" : data.causes[record[7]]]);
    if (shows(8)) cells.push(["Episode", (record) => record[8] ?? ""]);
    if (shows(9)) cells.push(["Value", (record) => record[9] ?? "", true]);
    const body = make("tbody");
    records.forEach((record, index) => {
      const line = make("tr");
      for (const [name, of, compared] of cells) {
        const value = String(of(record, index));
        const isMono = name === "Where" || name === "Value";
        const cell = make(name === "Occurrence" ? "th" : "td",
          { scope: name === "Occurrence" ? "row" : null,
            class: (isMono ? "mono " : "") + (name === "Value" ? "value" : "nowrap") });
        const before = String(of(original, 0));
        cell.append(...(compared && index ? difference(value, before) : [value])
          .filter((part) => part !== null));
        line.append(cell);
      }
      body.append(line);
    });
    const holder = make("td", { colspan: columns.length });
    holder.append(make("p", { class: "quiet" }, make("span", { class: "mono" }, row[ID])));
    const fields = row[FIELDS];
    const said = row[IDENTICAL] === true ? "All copies are identical."
      : row[IDENTICAL] === null ? "Not all copies could be compared." : "The copies differ.";
    const line = make("p", {}, said + " ");
    fields.forEach((field) => line.append(make("span", { class: "chip mono" }, field)));
    if (row[REVIEW] !== null) line.append("Before a refund: " + row[REVIEW] + ".");
    holder.append(line, make("table", {}, make("thead", {}, make("tr", {},
      ...cells.map(([name]) => make("th", { scope: "col" }, name)))), body));
    if (row[COUNT] > records.length) {
      holder.append(make("p", { class: "quiet" }, numbers.format(row[COUNT] - records.length)
        + " more occurrences are in the JSON and CSV reports."));
    }
    return make("tr", { class: "inside", id: "in-" + row[ID] }, holder);
  };

  const line = (row) => {
    const isOpen = unfolded.has(row);
    const outer = make("tr");
    columns.forEach((column, index) => {
      if (index === 0) {
        const label = column.of(row) === "" ? "(empty)" : column.of(row);
        const button = make("button", { type: "button", class: "unfold mono",
          "aria-expanded": String(isOpen), "aria-controls": isOpen ? "in-" + row[ID] : null }, label);
        button.addEventListener("click", () => {
          if (unfolded.has(row)) unfolded.delete(row); else unfolded.add(row);
          const place = [...outer.parentNode.children].indexOf(outer);
          draw();
          table.tBodies[0].rows[place].querySelector(".unfold").focus();
        });
        outer.append(make("th", { scope: "row" }, button));
        return;
      }
      const value = column.show ? column.show(row) : column.of(row) ?? "";
      outer.append(make("td", { class: column.number ? "number" : column.nowrap ? "nowrap" : null },
        typeof value === "number" ? numbers.format(value) : value));
    });
    return isOpen ? [outer, inside(row)] : [outer];
  };

  const turn = (label, to, isPossible) => {
    const button = make("button", { type: "button" }, label);
    button.disabled = !isPossible;
    button.addEventListener("click", () => {
      page = to;
      draw();
      document.getElementById("groups").focus();
    });
    return button;
  };
  const draw = () => {
    const last = Math.max(Math.ceil(shown.length / PAGE) - 1, 0);
    const first = page * PAGE;
    const ordered = sorted.column
      ? [...shown].sort(compare(sorted.column, sorted.ascending)) : shown;
    const part = ordered.slice(first, first + PAGE);
    table.replaceChildren(head(), make("tbody", {}, ...part.flatMap(line)));
    count.textContent = shown.length === rows.length
      ? numbers.format(rows.length) + " groups"
      : numbers.format(shown.length) + " of " + numbers.format(rows.length) + " groups";
    pages.hidden = last === 0;
    pages.replaceChildren(turn("Previous", page - 1, page > 0),
      make("span", {}, numbers.format(first + 1) + " to "
        + numbers.format(first + part.length) + " of " + numbers.format(shown.length)),
      turn("Next", page + 1, page < last));
  };
  const filter = () => {
    shown = rows.filter(isShown);
    page = 0;
    draw();
  };
  text.addEventListener("input", filter);
  cause.addEventListener("change", filter);
  kind.addEventListener("change", filter);
  form.addEventListener("submit", (submitted) => submitted.preventDefault());
  form.hidden = rows.length === 0;
  if (rows.length > 0) draw();
})();
