// On a phone, wide tables become cards (style.css). Each cell then shows the header of its column.
for (const table of document.querySelectorAll("main table")) {
  const heads = [...table.querySelectorAll("thead th")].map(head => head.textContent);
  for (const row of table.querySelectorAll("tbody tr")) {
    [...row.cells].forEach((cell, at) => {
      if (cell.textContent.trim() && heads[at]) cell.dataset.head = heads[at];
    });
  }
}
